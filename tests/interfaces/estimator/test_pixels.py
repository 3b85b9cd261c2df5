"""Arrays become images: which shape rows have, and which of 256 levels a value is."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from rungwise.data import load
from rungwise.errors import UsageError
from rungwise.interfaces.estimator.pixels import Levels, as_rows, image_shape


def levels_of(values: Any, wanted: Any = None) -> tuple[tuple[float, float], list[int]]:
    """Return the range that is chosen for a row of values, and their levels."""
    rows = np.atleast_2d(values)
    levels = Levels.of(rows, wanted)
    return (levels.low, levels.high), levels.pixels(rows, (1, rows.shape[1], 1)).flatten().tolist()


@pytest.mark.parametrize(
    ("features", "shape"), [(64, (8, 8, 1)), (1, (1, 1, 1)), (10, (1, 10, 1)), (27, (1, 27, 1))]
)
def test_rows_of_a_square_number_are_square_images_and_others_lines(
    features: int, shape: tuple[int, int, int]
) -> None:
    assert image_shape(features, None, None) == shape


def test_the_shape_may_be_said() -> None:
    assert image_shape(64, (4, 16), None) == (4, 16, 1)
    assert image_shape(192, [8, np.int64(8), 3], None) == (8, 8, 3)
    assert image_shape(3072, (3, 32, 32), (3, 32, 32)) == (3, 32, 32)


@pytest.mark.parametrize(
    ("features", "wanted", "found", "words"),
    [
        (192, None, None, "may be colour images of 8×8"),
        (3072, None, (3, 32, 32), r"looks like \(channels, height, width\)"),
        (64, (8, 9), None, "has 72"),
        (64, (4, 16), (8, 8, 1), "image_shape is"),
        (64, (8,), None, "image_shape is"),
        (64, 8, None, "image_shape is 8"),
        (64, (8, 8.0), None, "image_shape is"),
        (64, (-8, -8), None, "image_shape is"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(
    features: int, wanted: Any, found: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        image_shape(features, wanted, found)


def test_images_are_flattened_and_rows_left_alone() -> None:
    colour = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)

    rows, shape = as_rows(colour)

    assert shape == (3, 4, 5)
    assert rows.tolist() == [list(range(60)), list(range(60, 120))]
    assert as_rows([[[1, 2], [3, 4]]])[1] == (2, 2, 1)
    assert as_rows(rows) == (rows, None)


def test_bytes_are_levels_and_are_not_copied() -> None:
    rows = np.array([[0, 7, 16]], dtype=np.uint8)

    assert levels_of(rows) == ((0, 255), [0, 7, 16])
    pixels = Levels.of(rows, None).pixels(rows, (1, 3, 1))
    assert pixels.data_ptr() == rows.ctypes.data


def test_values_in_0_to_1_are_shares_of_white() -> None:
    assert levels_of([0.0, 0.2, 0.5]) == ((0, 1), [0, 51, 128])
    assert levels_of([False, True]) == ((0, 1), [0, 255])
    assert levels_of([0, 1, 1]) == ((0, 1), [0, 255, 255])


def test_bytes_over_255_come_back_exactly() -> None:
    levels = np.arange(256)
    for kind in (np.float32, np.float64):
        assert levels_of((levels / 255).astype(kind))[1] == levels.tolist()
    assert levels_of(levels)[1] == levels_of(levels.astype(np.float32))[1] == levels.tolist()


def test_other_values_span_the_levels() -> None:
    assert levels_of([-1.0, 0.0, 2.0, 4.0]) == ((-1, 4), [0, 51, 153, 255])
    assert levels_of([7.0, 7.0]) == ((7, 8), [0, 0])


def test_a_range_may_be_said_and_what_is_beyond_is_clipped() -> None:
    assert levels_of([-9.0, 0.0, 5.0, 99.0], (0, 10)) == ((0, 10), [0, 0, 128, 255])
    assert levels_of(np.array([0, 9, 18], np.uint8), [0, 17])[1] == [0, 135, 255]


def test_the_digits_become_those_of_the_named_set() -> None:
    rows = load_digits(return_X_y=True)[0]
    pixels = Levels.of(rows, None).pixels(rows, (8, 8, 1))
    named = load("digits")
    assert named.test is not None

    ours = {image.tobytes() for image in pixels.numpy()}

    together = torch.cat([named.train.images, named.test.images])
    assert {image.tobytes() for image in together.numpy()} == ours


@pytest.mark.parametrize("wanted", [(1, 0), (0, 0), (0,), 255, "ab", (0, float("inf"))])
def test_a_range_that_is_none_is_refused(wanted: Any) -> None:
    with pytest.raises(UsageError, match="value_range is"):
        Levels.of(np.zeros((1, 1)), wanted)


def test_an_outlier_that_would_hide_all_others_is_told() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 4))
    rows[0, 0] = 1e6

    with pytest.raises(UsageError, match=r"98% of them from -2\.\d+ to 2\.\d+"):
        Levels.of(rows, None)
    assert Levels.of(rows, (-3, 3)) == Levels(-3, 3)


def test_mostly_black_images_are_no_outliers() -> None:
    rows = np.zeros((1000, 4))
    rows[0, 0] = 1000

    assert Levels.of(rows, None) == Levels(0, 1000)


def test_images_of_another_scale_are_refused_and_a_few_bright_pixels_are_not() -> None:
    unit, whole, free = Levels(0, 1), Levels(0, 255), Levels(-2, 2)
    for levels, rows in (
        (unit, np.full((1, 4), 33)),
        (free, np.full((1, 4), 33.0)),
        (whole, np.array([[0, 0.25]])),
    ):
        with pytest.raises(UsageError, match="of another scale"):
            levels.require_scale(rows)
    for levels, rows in (
        (unit, np.array([[0.5, 0.5, 0.5, 1.5]])),
        (free, np.full((1, 4), -2.1)),
        (whole, np.array([[0.0, 1.0]])),
        (whole, np.array([[0, 1]], np.uint8)),
    ):
        levels.require_scale(rows)
