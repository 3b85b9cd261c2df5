"""Elastic, against SciPy one image at a time and by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from rungwise.augment import Elastic
from rungwise.augment.elastic import smooth, smoothing
from rungwise.errors import ConfigError
from rungwise.randomness import generator

CPU = torch.device("cpu")


def ramps(n: int, side: int) -> torch.Tensor:
    """Return images whose first channel tells the row of a pixel and whose second the column."""
    rows = torch.linspace(0, 1, side)[:, None].expand(side, side)
    return torch.stack([rows, rows.T]).expand(n, 2, side, side)


def moves(elastic: Elastic, n: int, side: int) -> torch.Tensor:
    """Return how far the pixels of n images are moved: (n, 2, side, side), in pixels."""
    images = ramps(n, side)
    return (elastic.change_images(images, generator(0)) - images) * (side - 1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14)])
def test_batch_equals_scipy_one_by_one(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    images = torch.rand(6, *shape, generator=generator("images"))
    # What the changed images were read from is told by images that hold their own places.
    rows = torch.arange(height).float()[:, None].expand(height, width) / 100
    columns = torch.arange(width).float().expand(height, width) / 100
    told = torch.stack([rows, columns]).expand(6, 2, height, width)
    elastic = Elastic(strength=1.5, smoothness=2)

    changed = elastic.change_images(images, generator(1))
    places = elastic.change_images(told, generator(1)).double().numpy() * 100

    for image, old, new in zip(images.double().numpy(), places, changed.numpy(), strict=True):
        for channel in range(channels):
            expected = map_coordinates(image[channel], old, order=1, mode="nearest")
            np.testing.assert_allclose(new[channel], expected, atol=5e-5)


def test_smoothing_of_three_pixels_follows_by_hand() -> None:
    near, far = math.exp(-0.5), math.exp(-2)  # one and two deviations away
    edge, middle = math.hypot(1, near, far), math.hypot(near, 1, near)

    matrix = smoothing(3, 1.0, CPU)

    expected = [
        [1 / edge, near / edge, far / edge],
        [near / middle, 1 / middle, near / middle],
        [far / edge, near / edge, 1 / edge],
    ]
    torch.testing.assert_close(matrix, torch.tensor(expected))


def test_only_the_first_and_the_last_axis_are_smoothed() -> None:
    dot = torch.zeros(5, 2, 3, 7)
    dot[2, 1, 0, 3] = 1

    smoothed = smooth(dot, 1.0)

    rows, columns = smoothing(5, 1.0, CPU)[:, 2], smoothing(7, 1.0, CPU)[:, 3]
    torch.testing.assert_close(smoothed[:, 1, 0], rows[:, None] * columns)
    assert smoothed.count_nonzero() == 35


@pytest.mark.parametrize("deviation", [0.01, 1, 4, 100])
def test_variance_stays_everywhere(deviation: float) -> None:
    noise = torch.randn(12, 4000, 9, generator=generator(0))

    smoothed = smooth(noise, deviation)

    variance = smoothed.square().mean(1)
    torch.testing.assert_close(variance, torch.ones(12, 9), atol=0.15, rtol=0)


def test_pixels_move_by_the_strength_in_both_directions() -> None:
    found = moves(Elastic(strength=0.8, smoothness=4), 400, 28)[..., 8:20, 8:20]

    assert found.square().mean().sqrt().item() == pytest.approx(0.8, rel=0.05)
    assert abs(found.mean().item()) < 0.05
    down, right = found.flatten(2).unbind(1)
    assert abs((down * right).mean().item()) < 0.05  # the two are independent


def test_neighbours_move_alike_and_the_more_the_smoother() -> None:
    bends = [
        moves(Elastic(strength=1, smoothness=smoothness), 100, 28)[..., 8:20, 8:20]
        .diff()
        .square()
        .mean()
        .item()
        for smoothness in (2, 4, 8)
    ]

    # A Gaussian field's slope has a deviation of strength / (√2 · smoothness).
    assert bends == pytest.approx([1 / 8, 1 / 32, 1 / 128], rel=0.2)


def test_a_very_smooth_field_shifts_the_whole_image() -> None:
    found = moves(Elastic(strength=1, smoothness=100), 20, 28)[..., 8:20, 8:20]

    assert found.flatten(2).std(2).max() < 0.2
    assert found.mean((2, 3)).std() > 0.5


@pytest.mark.parametrize("setting", ["strength", "smoothness"])
@pytest.mark.parametrize("value", [0, -1, 101, math.inf, math.nan])
def test_impossible_settings_are_refused_in_three_parts(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"elastic.*{setting}") as caught:
        Elastic(**{setting: value})

    assert caught.value.expected
    assert caught.value.fix
