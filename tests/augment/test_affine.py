"""Affine, against SciPy one image at a time and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from rungwise.augment import Affine
from rungwise.augment.affine import resample, source_map
from rungwise.randomness import generator


def slowly(
    image: np.ndarray,
    angle: float,
    down: float,
    right: float,
    zooms: tuple[float, float],
    shear: float,
) -> np.ndarray:
    """Change one image (C, H, W) as ImageDataGenerator composes it, in float64."""
    height, width = image.shape[1:]
    cos, sin = math.cos(angle), math.sin(angle)
    to_centre = _translation(-(height / 2 - 0.5), -(width / 2 - 0.5))
    back = _translation(height / 2 - 0.5, width / 2 - 0.5)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    slant = np.array([[1, 0, 0], [math.tan(shear), 1, 0], [0, 0, 1]])
    changed = rotation @ _translation(down, right) @ slant @ np.diag([*zooms, 1])
    matrix = back @ changed @ to_centre
    return np.stack(
        [
            affine_transform(plane, matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")
            for plane in image.astype(np.float64)
        ]
    )


def _translation(down: float, right: float) -> np.ndarray:
    return np.array([[1, 0, down], [0, 1, right], [0, 0, 1.0]])


def exactly(**changes: float) -> torch.Tensor:
    """Return the map of one image; what is not named leaves the image as it is."""
    plain = {
        "angle": 0.0,
        "down": 0.0,
        "right": 0.0,
        "zoom_rows": 1.0,
        "zoom_columns": 1.0,
        "shear": 0.0,
    }
    return source_map(**{name: torch.tensor([value]) for name, value in (plain | changes).items()})


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (5, 9, 14)])
@pytest.mark.parametrize("seed", range(3))
def test_batch_equals_scipy_one_by_one(shape: tuple[int, int, int], seed: int) -> None:
    _, height, width = shape
    rng = np.random.default_rng(seed)
    images = rng.random((20, *shape)).astype(np.float32)
    angles = rng.uniform(-math.pi, math.pi, 20)
    downs, rights = rng.uniform(-0.5, 0.5, (2, 20)) * [[height], [width]]
    zooms = rng.uniform(0.5, 1.5, (20, 2))
    shears = rng.uniform(-1, 1, 20)

    expected = [
        slowly(*of_one)
        for of_one in zip(images, angles, downs, rights, map(tuple, zooms), shears, strict=True)
    ]

    draws = [angles, downs, rights, zooms[:, 0], zooms[:, 1], shears]
    maps = source_map(*(torch.tensor(draw, dtype=torch.float32) for draw in draws))
    changed = resample(torch.from_numpy(images), maps)
    np.testing.assert_allclose(changed.numpy(), np.stack(expected), atol=5e-5)


def test_no_change_gives_the_image_back() -> None:
    image = torch.rand(1, 3, 7, 9, generator=generator(0))

    torch.testing.assert_close(resample(image, exactly()), image, atol=1e-6, rtol=0)


def test_quarter_turn_is_clockwise() -> None:
    image = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])

    turned = resample(image, exactly(angle=math.pi / 2))

    # R(90°) sends (row, column) to (-column, row): the top left corner reads the bottom left.
    expected = torch.tensor([[[[0.3, 0.1], [0.4, 0.2]]]])
    torch.testing.assert_close(turned, expected, atol=1e-6, rtol=0)


def test_shifted_window_repeats_the_last_pixel_beyond_the_border() -> None:
    image = torch.tensor([[[[0.0, 0.2, 0.4, 0.8]]]])

    one = resample(image, exactly(right=1.0))
    half = resample(image, exactly(right=-0.5))

    torch.testing.assert_close(one, torch.tensor([[[[0.2, 0.4, 0.8, 0.8]]]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(half, torch.tensor([[[[0.0, 0.1, 0.3, 0.6]]]]), atol=1e-6, rtol=0)


def test_zoom_of_two_shrinks_the_thing_along_its_own_axis() -> None:
    image = torch.tensor([[[[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]]]])

    rows = resample(image, exactly(zoom_rows=2.0))
    columns = resample(image, exactly(zoom_columns=2.0))

    torch.testing.assert_close(rows, image, atol=1e-6, rtol=0)
    # Places -2.5 … 2.5 from the centre become -5 … 5; -1 and 1 read halfway from 0 to 1.
    expected = torch.tensor([[[[0.0, 0.0, 0.5, 0.5, 0.0, 0.0]]]])
    torch.testing.assert_close(columns, expected, atol=1e-6, rtol=0)


def test_shear_leans_the_thing_to_the_right_and_keeps_its_rows() -> None:
    upright = torch.tensor([[0.0, 1.0, 0.0]]).expand(1, 1, 3, 3)

    leaning = resample(upright, exactly(shear=math.pi / 4))

    # Rows -1, 0 and 1 from the centre read one column to the left, their own, one to the right.
    expected = torch.tensor([[[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]])
    torch.testing.assert_close(leaning, expected, atol=1e-6, rtol=0)


def test_shear_is_drawn_after_all_else_and_only_if_asked_for() -> None:
    images = torch.rand(6, 2, 9, 7, generator=generator("images"))
    plain = Affine(rotate_degrees=30, shift=0.2, zoom=0.3)
    one, other = generator(0), generator(0)
    barely = replace(plain, shear_degrees=1e-4)

    without, slightly = plain.change_images(images, one), barely.change_images(images, other)

    assert not torch.equal(one.get_state(), other.get_state())
    torch.testing.assert_close(without, slightly, atol=1e-4, rtol=0)
    five = generator(0)
    for _ in range(5):
        torch.rand(6, generator=five)
    assert torch.equal(one.get_state(), five.get_state())


def test_each_setting_stays_within_its_limits() -> None:
    ramp = torch.linspace(0, 1, 101).expand(300, 1, 5, 101)

    shifted = Affine(shift=0.2).change_images(ramp, generator(0))[:, 0, 2, 50] - 0.5
    zoomed = Affine(zoom=0.2).change_images(ramp, generator(0))[:, 0, 2, 75] - 0.5
    turned = Affine(rotate_degrees=60).change_images(ramp, generator(0))[:, 0, 2, 75] - 0.5

    upright = ramp[..., :1, 40:61].expand(300, 1, 21, 21)
    sheared = Affine(shear_degrees=30).change_images(upright, generator(0))[:, 0, 15, 10] - 0.5

    assert 0.0285 < sheared.abs().max() <= 0.0289  # 5 rows below the centre, times tan 30°
    assert sheared.min() < -0.025 and sheared.max() > 0.025
    assert 0.18 < shifted.abs().max() <= 0.202  # 0.2 of 101 pixels, of 100 steps
    assert shifted.min() < -0.15
    assert 0.2 <= zoomed.min() < 0.21
    assert 0.29 < zoomed.max() <= 0.3  # 25 steps from the centre, times 0.8 to 1.2
    assert 0.125 <= turned.min() < 0.13  # cos 60° = 0.5
    assert 0.249 < turned.max() <= 0.2501


def test_axes_draw_their_zoom_on_their_own() -> None:
    ramp = torch.linspace(0, 1, 21).expand(50, 1, 21, 21)
    both = torch.cat([ramp, ramp.mT], dim=1)

    changed = Affine(zoom=0.3).change_images(both, generator(0))

    across, down = changed[:, 0, 10, 15], changed[:, 1, 15, 10]
    assert ((across - down).abs() > 0.01).float().mean() > 0.7
