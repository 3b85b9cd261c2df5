"""From arrays of any type to images: which axis is which, and which of 256 levels a value is.

The engine holds images in 256 levels, channels last. Whatever else an array holds is mapped to them
by one line that is chosen for the training images, and is the same for all others. `.npz` files,
tables of pixels, `from_arrays` and the estimator all pass through here.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.images import CHUNK_BYTES
from rungwise.errors import ArrayError, UsageError

Array = NDArray[Any]
ImageShape = tuple[int, int, int]
"""(H, W, C) of one image."""
Keep = Callable[[Iterator[NDArray[np.uint8]], tuple[int, ...]], NDArray[np.uint8]]
"""Puts slices of pixels together to an array of a shape, in memory or in a file."""

MOST_CHANNELS = 4
"""So many channels, and no more, are taken for channels wherever they stand."""
SMALLEST_COLOUR_SIDE = 8
"""From this side on a row of three squares is taken for a colour image whose order is unknown."""
SAMPLED_VALUES = 2**20
"""About how many values are looked at to see whether they are spread over their range."""
WHITES = (255, 65535)
"""Levels of white in 8 and 16 bits; an array that exceeds the half of one is taken for that."""


def as_array(images: Any, what: str) -> Array:
    """Return images as an array of numbers: also tensors, lists of pictures, columns of arrays.

    Args:
        images: What a user gives.
        what: What messages call them.

    Raises:
        ArrayError: They differ in shape, are no numbers, or some are masked.
    """
    if isinstance(images, torch.Tensor):
        plain = images.detach().cpu()
        images = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    try:
        array = np.asarray(images)
        if array.dtype == object and array.ndim:
            array = np.array(array.tolist())
    except ValueError as error:
        raise ArrayError(
            f"{what} cannot be one array: {error}",
            expected="images of one height, one width and one number of channels",
            fix="resize the images, and convert all of them to grey or to RGB",
        ) from error
    if array.dtype.kind not in "buif":
        raise _unusable(array, what)
    if np.ma.is_masked(images):
        raise ArrayError(
            f"{what} has masked values",
            expected="a value for every pixel",
            fix="fill them, for example with .filled(0)",
        )
    return array


def arranged(array: Array, wanted: Any, what: str) -> tuple[Array, str | None]:
    """Return images as (N, H, W, C), a view where that can be, and what was taken for granted.

    Flat rows of a square number of values are square and grey, other rows are one pixel high. In
    (N, a, b, c) the channels stand last, unless only `a` can be a number of channels.

    Args:
        array: (N, H·W·C), (N, H, W), (N, H, W, C) or (N, C, H, W).
        wanted: (H, W) or (H, W, C) that the user asks for, or None.
        what: What messages call the array.

    Raises:
        UsageError: `wanted` is no shape.
        ArrayError: The array has another shape, or one that can be understood in two ways.
    """
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise _unusable(array, what)
    if array.ndim == 2:
        shape = row_shape(array.shape[1], wanted, what)
        size = "×".join(map(str, shape[:2])) + (f"×{shape[2]}" if shape[2] > 1 else "")
        note = f"{what} has rows of {array.shape[1]} values, taken for images of {size} pixels"
        return array.reshape(len(array), *shape), note
    last = array if array.ndim == 4 else array[..., None]
    first = np.moveaxis(last, 1, -1)
    if wanted is None:
        channels_first = array.ndim == 4 and _has_channels_first(array.shape, what)
    else:
        asked = _parsed(wanted)
        channels_first = array.ndim == 4 and first.shape[1:] == asked != last.shape[1:]
        if not channels_first and last.shape[1:] != asked:
            raise ArrayError(
                f"{what} is of shape {array.shape}, and images of shape {asked} are wanted",
                expected="(height, width, channels) of the images trained on, or of image_shape",
                fix="bring the images to that shape, or pass another image_shape, or none",
            )
    if not channels_first:
        return last, None
    return first, f"{what} is of shape {array.shape}, taken for (N, channels, height, width)"


def row_shape(features: int, wanted: Any, what: str) -> ImageShape:
    """Return (H, W, C) of images that flat rows of so many values are.

    Raises:
        UsageError: `wanted` is no shape.
        ArrayError: It has another number of values, or the shape cannot be told.
    """
    if wanted is not None:
        asked = _parsed(wanted)
        if math.prod(asked) != features:
            raise ArrayError(
                f"{what} has rows of {features} values, and image_shape {asked} has "
                f"{math.prod(asked)}",
                expected="as many",
                fix="pass the image_shape that the rows were made from",
            )
        return asked
    side = math.isqrt(features)
    if side**2 == features:
        return side, side, 1
    colour_side = math.isqrt(features // 3)
    if 3 * colour_side**2 == features and colour_side >= SMALLEST_COLOUR_SIDE:
        size = f"{colour_side}, {colour_side}"
        raise ArrayError(
            f"{what} has rows of {features} values, which may be colour images of "
            f"{colour_side}×{colour_side} in two orders, or no images",
            expected="rows whose order is known: image_shape, or images (N, H, W, C)",
            fix=f"pass image_shape=({size}, 3) if a row holds the three values of a pixel side by "
            f"side; reshape(-1, 3, {size}) if it holds one colour after the other, as CIFAR does; "
            f"image_shape=(1, {features}) if it is no image",
        )
    return 1, features, 1


def _has_channels_first(shape: tuple[int, ...], what: str) -> bool:
    """Tell whether (N, a, b, c) is (N, C, H, W).

    Raises:
        ArrayError: It may be that or (N, H, W, C).
    """
    _, a, b, c = shape
    few_first, few_last = a <= MOST_CHANNELS < b, c <= MOST_CHANNELS < b
    # As many channels at either end, or many channels before what looks like a square image.
    if (few_first and few_last and a >= 3 and c >= 3) or (a != b == c > MOST_CHANNELS < a):
        raise ArrayError(
            f"{what} is of shape {shape}, which may be (N, {a} high, {b} wide, {c} channels) or "
            f"(N, {a} channels, {b} high, {c} wide)",
            expected="a shape that has one meaning",
            fix=f"pass image_shape=({a}, {b}, {c}) to from_arrays or ImageClassifier if channels "
            "stand last; else save or pass the array as array.transpose(0, 2, 3, 1), and "
            f"image_shape=({b}, {c}, {a}) with it",
        )
    return few_first and c > MOST_CHANNELS


def _parsed(wanted: Any) -> ImageShape:
    sides = tuple(wanted) if isinstance(wanted, tuple | list | np.ndarray) else ()
    if len(sides) not in (2, 3) or not all(
        isinstance(side, int | np.integer) and side > 0 for side in sides
    ):
        raise UsageError(
            f"image_shape is {wanted!r}",
            expected="(height, width) or (height, width, channels), whole numbers of 1 or more",
            fix="use for example (28, 28) or (32, 32, 3)",
        )
    height, width, *channels = map(int, sides)
    return height, width, channels[0] if channels else 1


@dataclass(frozen=True)
class Levels:
    """Which values are levels 0 and 255; those between are rounded, those beyond are clipped."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Array, wanted: Any, what: str = "the images") -> "Levels":
        """Choose the levels of training images.

        Those are, in this order: the wanted ones; 0 and 1 if no value lies outside of them; 0 and
        255 for uint8; 0 and 255, or 0 and 65535, if the greatest value is above the half of that
        and none is negative; the least and the greatest value.

        Raises:
            UsageError: Wanted is no range.
            ArrayError: There are values that are no numbers, bytes that have become negative, or
                256 levels cannot tell the values apart.
        """
        if wanted is not None:
            return _parsed_levels(wanted)
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise _not_finite(values, what)
        if low < 0 and values.dtype == np.int8:
            raise ArrayError(
                f"{what} is int8 with values from {low:g} to {high:g}, which may be bytes of 0 to "
                "255 in a signed type, or values around 0",
                expected="values whose range is known",
                fix="pass array.view('uint8') for bytes, or (array + 128.0) for values around 0",
            )
        if low >= 0 and (high == 1 or (high <= 1 and values.dtype != np.uint8)):
            return cls(0.0, 1.0)
        if values.dtype == np.uint8:
            return BYTES
        white = next((white for white in WHITES if white / 2 < high <= white), None)
        levels = cls(0.0, float(white)) if white and low >= 0 else cls(low, high)
        if low == high:
            return levels if white else cls(low, low + 1)
        _require_spread(levels, values, what)
        return levels

    @property
    def width(self) -> float:
        """How far apart levels 0 and 255 are."""
        return self.high - self.low

    def require_scale(self, values: Array, what: str = "the images") -> None:
        """Refuse images whose values are of another scale.

        Raises:
            ArrayError: There are values that are no numbers, their mean lies far outside of the
                range, or they are 0..1 where 0..255 or 0..65535 is meant.
        """
        mean = float(values.mean(dtype=np.float64))
        if not math.isfinite(mean):
            raise _not_finite(values, what)
        outside = not self.low - self.width <= mean <= self.high + self.width
        fractions = self.low == 0 and self.high in WHITES and _are_fractions(values)
        if outside or fractions:
            raise ArrayError(
                f"{what}: values from {values.min():g} to {values.max():g}, of mean {mean:g}, are "
                f"of another scale than the range {self.low:g} to {self.high:g}",
                expected="images of the scale of those trained on, and of value_range if it is "
                "given",
                fix="scale the images alike",
            )

    def pixels(self, values: Array, keep: Keep | None = None) -> NDArray[np.uint8]:
        """Return values as levels, in the same shape; bytes 0..255 in order are not copied.

        Args:
            values: (N, …), numbers.
            keep: Puts slices of the result together; in memory by default.
        """
        if self.takes_as_is(values) and values.flags.c_contiguous:
            return values
        return (keep or in_memory)(self._slices(values), values.shape)

    def takes_as_is(self, values: Array) -> bool:
        """Tell whether values are levels already."""
        return values.dtype == np.uint8 and self == BYTES

    def _slices(self, values: Array) -> Iterator[NDArray[np.uint8]]:
        for some in _slices(values):
            if self.takes_as_is(values):
                yield np.ascontiguousarray(some)
            else:
                levels = (some.astype(np.float64, order="C") - self.low) * (255 / self.width)
                yield np.rint(levels.clip(0, 255)).astype(np.uint8)


BYTES = Levels(0.0, 255.0)


def in_memory(slices: Iterator[NDArray[np.uint8]], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Put slices of pixels together to an array in memory."""
    pixels = np.empty(shape, np.uint8)
    filled = 0
    for some in slices:
        pixels[filled : filled + len(some)] = some
        filled += len(some)
    return pixels


def _parsed_levels(wanted: Any) -> Levels:
    pair = tuple(wanted) if isinstance(wanted, tuple | list | np.ndarray) else ()
    numbers = all(isinstance(one, int | float | np.number) and math.isfinite(one) for one in pair)
    if len(pair) != 2 or not numbers or not pair[0] < pair[1]:
        raise UsageError(
            f"value_range is {wanted!r}",
            expected="two numbers, the lower one first: what is black and what is white",
            fix="use for example (0, 255)",
        )
    return Levels(float(pair[0]), float(pair[1]))


def _are_fractions(values: Array) -> bool:
    """Tell whether values are of 0..1. Bytes may be just 0 and 1, in a picture that is black."""
    return values.dtype.kind in "fb" and 0 < float(values.max()) <= 1


def _require_spread(levels: Levels, values: Array, what: str) -> None:
    """Refuse a range that an outlier has made so wide that the other values fall into one level."""
    sample = values[:: math.ceil(values.size / SAMPLED_VALUES)].astype(np.float64)
    low, high = map(float, np.quantile(sample, (0.01, 0.99)))
    if 0 < high - low < levels.width / 255:
        raise ArrayError(
            f"{what}: values run from {values.min():g} to {values.max():g}, but 98% of them from "
            f"{low:g} to {high:g}: 256 levels over the whole range would not tell those apart",
            expected="values that are spread over their range",
            fix="pass value_range=(low, high); values beyond it are clipped",
        )


def _not_finite(values: Array, what: str) -> ArrayError:
    bad = np.concatenate(
        [~np.isfinite(some.reshape(len(some), -1)).all(1) for some in _slices(values)]
    )
    return ArrayError(
        f"{what}: {bad.sum()} images contain NaN or infinity, the first is image {bad.argmax()}",
        expected="a finite number for every pixel",
        fix="leave these images out, or replace the values, for example with numpy.nan_to_num",
    )


def _unusable(array: Array, what: str) -> ArrayError:
    return ArrayError(
        f"{what} is {array.dtype} of shape {array.shape}",
        expected="numbers of shape (N, H, W), (N, H, W, C) or (N, H·W), at least one image",
        fix="pass for example uint8 images, 0..255, of shape (N, H, W, C)",
    )


def _slices(values: Array) -> Iterator[Array]:
    """Yield slices of some megabytes of float64, so that large arrays need little more memory."""
    step = max(1, CHUNK_BYTES // (8 * math.prod(values.shape[1:])))
    for start in range(0, len(values), step):
        yield values[start : start + step]
