"""Mistakes: which they are, in which order, and their picture."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from rungwise.data import LabelledImages
from rungwise.report.mistakes import gallery, mistakes, most_confident

NAMES = ("$cat$", "a dog with a very long name", "日本")


def images(count: int, channels: int = 1, side: int = 4) -> LabelledImages:
    pixels = torch.arange(count * side * side * channels) % 251
    shape = (count, side, side, channels)
    labels = torch.zeros(count, dtype=torch.int64)
    return LabelledImages(pixels.reshape(shape).byte(), labels, NAMES)


def test_mistakes_name_truth_answer_and_probability() -> None:
    probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])

    first, second = mistakes(probabilities, images(3), seed=7)

    assert (first.seed, first.position, first.truth, first.answer) == (7, 1, NAMES[0], NAMES[1])
    assert first.probability == 0.75
    assert (second.position, second.answer, second.probability) == (2, NAMES[2], 1.0)


def test_the_surest_come_first_and_an_image_comes_once() -> None:
    data = images(3)
    unsure = mistakes(torch.tensor([[0.4, 0.6, 0.0]] * 3), data, seed=0)
    sure = mistakes(torch.tensor([[0.1, 0.0, 0.9]]), data.take(torch.tensor([2])), seed=1)

    chosen = most_confident([*unsure, *sure])

    assert [(one.seed, one.position) for one in chosen] == [(1, 0), (0, 0), (0, 1)]
    assert len(most_confident([*unsure, *sure], most=2)) == 2


@pytest.mark.parametrize(("channels", "side"), [(1, 4), (2, 28), (3, 200)])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_gallery_takes_any_names_channels_and_sizes(
    tmp_path: Path, channels: int, side: int, suffix: str
) -> None:
    data = images(7, channels, side)
    wrong = mistakes(torch.tensor([[0.1, 0.9, 0.0]] * 6 + [[0.0, 0.0, 1.0]]), data, seed=0)

    path = gallery(wrong, tmp_path / f"gallery.{suffix}")

    assert path.stat().st_size > 1000
    if suffix == "png":
        with Image.open(path) as image:
            assert image.width > 500
