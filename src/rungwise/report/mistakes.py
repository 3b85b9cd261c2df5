"""The most confident mistakes: where the net is surely wrong, or the label is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rungwise.data import LabelledImages
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
        seed: The draw of the data, and of the net.
        position: Place of the image in that draw's part.
        truth: Name of the true class.
        answer: Name of the answered class.
        probability: Of the answer, 0..1.
        image: (H, W, C) uint8.
    """

    seed: int
    position: int
    truth: str
    answer: str
    probability: float
    image: torch.Tensor


def mistakes(probabilities: torch.Tensor, data: LabelledImages, seed: int) -> list[Mistake]:
    """Return the wrong answers in the images' order.

    Args:
        probabilities: (N, K) float.
        data: The N images.
        seed: Written onto each.
    """
    confidence, answers = probabilities.max(1)
    wrong = (answers != data.labels).nonzero().flatten()
    return [
        Mistake(
            seed,
            place,
            data.class_names[int(data.labels[place])],
            data.class_names[int(answers[place])],
            confidence[place].item(),
            image,
        )
        for place, image in zip(wrong.tolist(), data.gather(wrong), strict=True)
    ]


def most_confident(wrong: Sequence[Mistake], most: int = SHOWN) -> list[Mistake]:
    """Return the surest mistakes first, each image once."""
    chosen: dict[bytes, Mistake] = {}
    for mistake in sorted(wrong, key=lambda one: -one.probability):
        chosen.setdefault(mistake.image.cpu().numpy().tobytes(), mistake)
    return list(chosen.values())[:most]


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
        sure = ">99.9%" if mistake.probability > 0.999 else f"{mistake.probability:.1%}"
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


def _short(name: str) -> str:
    plain = " ".join(name.split())
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 1]}…"
