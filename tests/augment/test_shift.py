"""Shift and crop."""

import pytest
import torch

from rungwise.augment import Crop, Shift
from rungwise.augment.shift import Fill, shift_images
from rungwise.randomness import generator

SQUARE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]).expand(2, 1, 3, 3)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("zero", [[0, 0, 0], [0, 1, 2], [0, 4, 5]]),
        ("nearest", [[1, 1, 2], [1, 1, 2], [4, 4, 5]]),
        ("reflect", [[5, 4, 5], [2, 1, 2], [5, 4, 5]]),
    ],
)
def test_one_down_and_one_right_brings_in_the_fill(fill: Fill, expected: list[list[int]]) -> None:
    one = torch.tensor([1, 0])

    moved = shift_images(SQUARE, down=one, right=one, most=1, fill=fill)

    assert moved[0, 0].tolist() == expected
    assert torch.equal(moved[1], SQUARE[1])


def test_every_move_up_to_the_limit_is_drawn_and_no_other() -> None:
    dot = torch.zeros(500, 1, 7, 9)
    dot[:, :, 3, 4] = 1

    moved = Shift(pixels=2, fill="zero").change_images(dot, generator(0))

    places = {(row, column) for _, _, row, column in moved.nonzero().tolist()}
    assert places == {(row, column) for row in range(1, 6) for column in range(2, 7)}


def test_crop_equals_a_slow_cut_from_the_padded_image() -> None:
    image = torch.rand(1, 3, 8, 6, generator=generator(0))
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2), mode="reflect")
    cuts = [padded[0, :, top : top + 8, left : left + 6] for top in range(5) for left in range(5)]

    cropped = Crop(padding=2).change_images(image.expand(40, -1, -1, -1), generator(1))

    for crop in cropped:
        assert any(torch.equal(crop, cut) for cut in cuts)
