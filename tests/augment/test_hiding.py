"""Boxes, cutout and random erasing."""

import torch

from rungwise.augment import Cutout, RandomErasing
from rungwise.augment.box import inside_boxes
from rungwise.augment.cutout import cut_squares
from rungwise.augment.random_erasing import noise_like
from rungwise.randomness import generator


def test_each_image_has_a_box_of_its_own() -> None:
    images = torch.zeros(2, 3, 3, 4)

    inside = inside_boxes(
        images,
        top=torch.tensor([0, 1]),
        left=torch.tensor([1, 0]),
        height=torch.tensor([1, 2]),
        width=torch.tensor([3, 1]),
    )

    assert inside.shape == (2, 1, 3, 4)
    assert inside[0, 0].int().tolist() == [[0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert inside[1, 0].int().tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]


def test_square_is_black_and_the_rest_is_kept() -> None:
    images = torch.full((1, 2, 3, 3), 0.5)

    cut = cut_squares(images, top=torch.tensor([1]), left=torch.tensor([0]), size=2)

    for channel in cut[0]:
        assert channel.tolist() == [[0.5, 0.5, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.5]]


def test_cutout_takes_the_same_area_anywhere() -> None:
    images = torch.ones(500, 1, 6, 5)

    cut = Cutout(size=3).change_images(images, generator(0))

    assert (cut == 0).sum((1, 2, 3)).unique().tolist() == [9]
    corners = {(int(rows.min()), int(columns.min())) for rows, columns in map(_hidden, cut)}
    assert corners == {(row, column) for row in range(4) for column in range(3)}


def _hidden(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = (image[0] == 0).nonzero(as_tuple=True)
    return rows, columns


def test_erased_box_has_the_area_and_aspect_asked_for() -> None:
    images = torch.full((400, 1, 40, 40), 2.0)  # noise is never 2
    erasing = RandomErasing(probability=1, area=(0.1, 0.1), aspect=(4, 4))

    erased = erasing.change_images(images, generator(0)) != 2

    # 0.1 of 1600 pixels is 160: sqrt(160 · 4) = 25.3 high, sqrt(160 / 4) = 6.3 wide.
    assert erased.any(3).sum((1, 2)).unique().tolist() == [25]
    assert erased.any(2).sum((1, 2)).unique().tolist() == [6]
    assert erased.sum((1, 2, 3)).unique().tolist() == [150]
    tops = erased[:, 0].any(2).int().argmax(1)
    assert sorted(tops.unique().tolist()) == list(range(16))  # 0 to 40 - 25


def test_erasing_leaves_the_share_that_was_not_chosen() -> None:
    images = torch.full((2000, 1, 8, 8), 2.0)

    erased = RandomErasing(probability=0.25).change_images(images, generator(0)) != 2

    assert abs(erased.flatten(1).any(1).float().mean() - 0.25) < 0.03


def test_boxes_that_do_not_fit_are_cut_to_the_side() -> None:
    images = torch.full((50, 1, 4, 4), 2.0)
    erasing = RandomErasing(probability=1, area=(1, 1), aspect=(4, 4))

    erased = erasing.change_images(images, generator(0)) != 2

    assert erased.sum((1, 2, 3)).unique().tolist() == [8]  # 8 high cut to 4, 2 wide


def test_noise_is_uniform_over_the_pixel_levels() -> None:
    noise = noise_like(torch.zeros(50, 3, 33, 31), generator(0))

    assert noise.shape == (50, 3, 33, 31)
    assert noise.min() == 0
    assert noise.max() == 1
    levels = (noise * 255).round().int().flatten().bincount(minlength=256).float()
    assert len(levels) == 256
    assert (levels / noise.numel() - 1 / 256).abs().max() < 0.001
