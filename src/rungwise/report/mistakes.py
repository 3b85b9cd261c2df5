"""The most confident mistakes: where the net is surely wrong, or the label is."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rungwise.data import LabelledImages
from rungwise.prediction.label_errors import suspected
from rungwise.report.canvas import DPI, save
from rungwise.report.pictures import as_pixels

SHOWN = 24
COLUMNS = 6
TILE_PIXELS = 150
CAPTION_PIXELS = 76
LONGEST_NAME = 15


@dataclass(frozen=True, eq=False)
class Mistake:
    """One wrong answer.

    Args:
        images: What was judged.
        position: Place of the image in them.
        truth: Name of the true class, by the label.
        answer: Name of the answered class.
        probability: Of the answer, 0..1.
        truth_probability: Of the true class, 0..1.
        suspected: Whether the label is rather wrong than the answer.
        seed: The draw of the data, and of the net, where there are several.
    """

    images: LabelledImages
    position: int
    truth: str
    answer: str
    probability: float
    truth_probability: float
    suspected: bool
    seed: int | None = None

    @property
    def image(self) -> torch.Tensor:
        """(H, W, C) uint8."""
        return self.images.gather(torch.tensor([self.position]))[0]

    @property
    def name(self) -> str:
        """What the image is called."""
        return self.images.name_of(self.position)

    @property
    def margin(self) -> float:
        """By how much the answer is likelier than the true class, 0..1."""
        return self.probability - self.truth_probability


def mistakes(
    probabilities: torch.Tensor, data: LabelledImages, seed: int | None = None
) -> list[Mistake]:
    """Return the wrong answers in the images' order.

    Args:
        probabilities: (N, K) float.
        data: The N images; none of them was trained on.
        seed: Written onto each.
    """
    confidence, answers = probabilities.max(1)
    truths = probabilities.gather(1, data.labels[:, None])[:, 0]
    suspects = suspected(probabilities, data.labels)
    return [
        Mistake(
            data,
            place,
            data.class_names[int(data.labels[place])],
            data.class_names[int(answers[place])],
            confidence[place].item(),
            truths[place].item(),
            bool(suspects[place]),
            seed,
        )
        for place in (answers != data.labels).nonzero().flatten().tolist()
    ]


def most_confident(wrong: Sequence[Mistake], most: int = SHOWN) -> list[Mistake]:
    """Return the surest mistakes first, each image once."""
    chosen: dict[bytes, Mistake] = {}
    for mistake in sorted(wrong, key=lambda one: -one.probability):
        if len(chosen) == most:
            break
        chosen.setdefault(mistake.image.cpu().numpy().tobytes(), mistake)
    return list(chosen.values())


def ranked(wrong: Sequence[Mistake]) -> list[Mistake]:
    """Return the mistakes whose labels are suspected first; by margin, the largest first."""
    return sorted(wrong, key=lambda one: (not one.suspected, -one.margin))


def of_each_class(wrong: Sequence[Mistake], most: int) -> dict[str, list[Mistake]]:
    """Choose mistakes by true class, the surest of each, until there are `most`.

    Each class in turn gives one, so that none is crowded out by another with more mistakes.
    """
    classes: dict[str, list[Mistake]] = defaultdict(list)
    for mistake in sorted(wrong, key=lambda one: -one.probability):
        classes[mistake.truth].append(mistake)
    rounds = itertools.zip_longest(*classes.values())
    in_turn = (mistake for one_of_each in rounds for mistake in one_of_each if mistake)
    chosen = set(itertools.islice(in_turn, most))
    return {name: [one for one in own if one in chosen] for name, own in classes.items()}


def gallery(shown: Sequence[Mistake], path: Path) -> Path:
    """Draw images with their true class, the answer and its probability.

    Args:
        shown: At least one.
        path: Ends in .png or .svg.
    """
    from matplotlib.figure import Figure

    height, width = shown[0].image.shape[:2]
    scale = max(1, (TILE_PIXELS - 24) // max(height, width))
    step = max(TILE_PIXELS, width * scale + 12)
    rise = height * scale + CAPTION_PIXELS
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    canvas = np.full((rows * rise, columns * step, 3), 255, np.uint8)
    figure = Figure(figsize=(canvas.shape[1] / DPI, canvas.shape[0] / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    for place, mistake in enumerate(shown):
        top, left = place // columns * rise, place % columns * step
        square = as_pixels(mistake.image[None])[0].repeat(scale, axis=0).repeat(scale, axis=1)
        inset = (step - width * scale) // 2
        canvas[top : top + height * scale, left + inset : left + inset + width * scale] = square
        sure = certainty(mistake.probability)
        caption = f"{_short(mistake.truth)}\n→ {_short(mistake.answer)}\n{sure}"
        axes.text(
            left + step / 2,
            top + height * scale + 5,
            caption,
            size=7,
            ha="center",
            va="top",
            linespacing=1.15,
            parse_math=False,
        )
    axes.imshow(canvas, interpolation="nearest", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.axis("off")
    return save(figure, path)


def certainty(probability: float) -> str:
    """Return a probability in percent; none is told as certain or impossible.

    >>> certainty(0.99971), certainty(0.5), certainty(0.0)
    ('>99.9%', '50.0%', '<0.1%')
    """
    if probability > 0.999:
        return ">99.9%"
    return "<0.1%" if probability < 0.001 else f"{probability:.1%}"


def _short(name: str) -> str:
    plain = " ".join(name.split())
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 1]}…"
