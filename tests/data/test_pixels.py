"""Arrays become images: which shape rows have, and which of 256 levels a value is."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from rungwise.data import load
from rungwise.data.pixels import Levels, arranged, row_shape
from rungwise.errors import ArrayError, UsageError


def levels_of(values: Any, wanted: Any = None) -> tuple[tuple[float, float], list[int]]:
    """Return the range that is chosen for a row of values, and their levels."""
    rows = np.atleast_2d(values)
    levels = Levels.of(rows, wanted)
    return (levels.low, levels.high), levels.pixels(rows).flatten().tolist()


@pytest.mark.parametrize(
    ("features", "shape"), [(64, (8, 8, 1)), (1, (1, 1, 1)), (10, (1, 10, 1)), (27, (1, 27, 1))]
)
def test_rows_of_a_square_number_are_square_images_and_others_lines(
    features: int, shape: tuple[int, int, int]
) -> None:
    assert row_shape(features, None, "X") == shape


def test_the_shape_may_be_said() -> None:
    assert row_shape(64, (4, 16), "X") == (4, 16, 1)
    assert row_shape(192, [8, np.int64(8), 3], "X") == (8, 8, 3)


@pytest.mark.parametrize(
    ("shape", "wanted", "found"),
    [
        ((2, 28, 28), None, (28, 28, 1)),
        ((2, 32, 32, 3), None, (32, 32, 3)),
        ((2, 28, 28, 28), None, (28, 28, 28)),
        ((2, 9, 8, 13), None, (9, 8, 13)),
        ((2, 3, 4, 5), None, (3, 4, 5)),
        ((2, 1, 10, 1), None, (1, 10, 1)),
        ((2, 1, 28, 28), None, (28, 28, 1)),
        ((2, 3, 9, 8), None, (9, 8, 3)),
        ((2, 4, 32, 32), None, (32, 32, 4)),
        ((2, 3, 32, 32), (3, 32, 32), (3, 32, 32)),
        ((2, 3, 32, 32), (32, 32, 3), (32, 32, 3)),
        ((2, 13, 9, 9), (9, 9, 13), (9, 9, 13)),
        ((2, 1, 28, 28), (28, 28), (28, 28, 1)),
        ((2, 784), None, (28, 28, 1)),
    ],
)
def test_axes_are_what_they_can_only_be(
    shape: tuple[int, ...], wanted: Any, found: tuple[int, ...]
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)

    images, note = arranged(array, wanted, "X")

    assert images.shape[1:] == found
    assert (note is None) == (array.ndim > 2 and found == (*shape[1:], 1)[:3])
    assert np.array_equal(images.reshape(array.shape), array) or np.array_equal(
        images.transpose(0, 3, 1, 2), array
    )


@pytest.mark.parametrize(
    ("shape", "wanted", "words"),
    [
        ((2, 192), None, "may be colour images of 8×8"),
        ((2, 3072), None, r"reshape\(-1, 3, 32, 32\)"),
        ((2, 64), (8, 9), "has 72"),
        ((2, 8, 8), (4, 16), r"images of shape \(4, 16, 1\) are wanted"),
        ((2, 64), (8,), "image_shape is"),
        ((2, 64), 8, "image_shape is 8"),
        ((2, 64), (8, 8.0), "image_shape is"),
        ((2, 64), (-8, -8), "image_shape is"),
        ((2, 3, 28, 3), None, r"pass image_shape=\(3, 28, 3\).*\n?.*image_shape=\(28, 3, 3\)"),
        ((2, 13, 64, 64), None, r"\(N, 13 channels, 64 high, 64 wide\)"),
        ((0, 8, 8), None, "of shape"),
        ((2, 8, 0), None, "of shape"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: tuple[int, ...], wanted: Any, words: str) -> None:
    with pytest.raises((UsageError, ArrayError), match=words):
        arranged(np.zeros(shape), wanted, "X")


def test_bytes_are_levels_and_are_not_copied() -> None:
    rows = np.array([[0, 7, 16]], dtype=np.uint8)

    assert levels_of(rows) == ((0, 255), [0, 7, 16])
    assert Levels.of(rows, None).pixels(rows) is rows


def test_values_in_0_to_1_are_shares_of_white() -> None:
    assert levels_of([0.0, 0.2, 0.5]) == ((0, 1), [0, 51, 128])
    assert levels_of([False, True]) == ((0, 1), [0, 255])
    assert levels_of([0, 1, 1]) == ((0, 1), [0, 255, 255])
    assert levels_of(np.array([0, 1, 1], np.uint8)) == ((0, 1), [0, 255, 255])
    assert levels_of(np.array([0, 0], np.uint8)) == ((0, 255), [0, 0])


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int64, np.float16, np.float64])
def test_bytes_of_another_type_are_levels(kind: Any) -> None:
    assert levels_of(np.array([3, 100, 200], kind)) == ((0, 255), [3, 100, 200])


def test_sixteen_bits_are_as_in_a_file_of_grey() -> None:
    assert levels_of(np.array([0, 257, 65278], np.uint16)) == ((0, 65535), [0, 1, 254])
    assert levels_of(np.array([0, 2000, 4095], np.uint16)) == ((0, 4095), [0, 125, 255])


def test_bytes_that_have_become_negative_are_refused() -> None:
    with pytest.raises(ArrayError, match="int8 with values from -56 to 100"):
        levels_of(np.array([100, 200], np.uint8).view(np.int8))
    assert levels_of(np.array([-128, 127], np.int8), (-128, 127))[1] == [0, 255]


def test_values_that_are_no_numbers_are_counted() -> None:
    images = np.zeros((5, 2, 2))
    images[3, 0, 0], images[4] = np.nan, np.inf

    with pytest.raises(ArrayError, match=r"2 images contain NaN or infinity, .* image 3"):
        Levels.of(images, None)
    with pytest.raises(ArrayError, match="2 images contain NaN"):
        Levels(0, 1).require_scale(images)


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
    pixels = Levels.of(rows, None).pixels(rows).reshape(-1, 8, 8, 1)
    named = load("digits")
    assert named.test is not None

    ours = {image.tobytes() for image in pixels}

    together = torch.cat([named.train.images, named.test.images])
    assert {image.tobytes() for image in together.numpy()} == ours


@pytest.mark.parametrize("wanted", [(1, 0), (0, 0), (0,), 255, "ab", (0, float("inf"))])
def test_a_range_that_is_none_is_refused(wanted: Any) -> None:
    with pytest.raises(UsageError, match="value_range is"):
        Levels.of(np.zeros((1, 1)), wanted)


def test_an_outlier_that_would_hide_all_others_is_told() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 4))
    rows[0, 0] = 1e6

    with pytest.raises(ArrayError, match=r"98% of them from -2\.\d+ to 2\.\d+"):
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
        (whole, np.array([[0.0, 1.0]])),
        (whole, np.array([[False, True]])),
        (Levels(0, 65535), np.array([[0.0, 1.0]])),
    ):
        with pytest.raises(ArrayError, match="of another scale"):
            levels.require_scale(rows)
    for levels, rows in (
        (unit, np.array([[0.5, 0.5, 0.5, 1.5]])),
        (free, np.full((1, 4), -2.1)),
        (whole, np.array([[0.0, 0.0]])),
        (whole, np.array([[0, 1]], np.uint8)),
    ):
        levels.require_scale(rows)
