"""From scikit-learn's arrays to the engine's images: which shape rows have, which level a value is.

The engine holds images in 256 levels. Whatever else an array holds is mapped to them by one line
that is chosen in `fit`, kept with the net, and the same ever after.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.decoded import as_tensor
from rungwise.data.images import CHUNK_BYTES
from rungwise.errors import UsageError

Array = NDArray[Any]
ImageShape = tuple[int, int, int]
"""(H, W, C) of one image."""

SMALLEST_COLOUR_SIDE = 8
"""From this side on a row of three squares is taken for a colour image whose order is unknown."""
SAMPLED_VALUES = 2**20
"""About how many values are looked at to see whether they are spread over their range."""


def as_rows(images: Any) -> tuple[Any, ImageShape | None]:
    """Return images (N, H, W) or (N, H, W, C) as flat rows and their shape; others as they are."""
    array = images if hasattr(images, "ndim") else np.asarray(images)
    if array.ndim not in (3, 4):
        return images, None
    array = np.asarray(array)
    height, width, *channels = array.shape[1:]
    shape = (height, width, *(channels or (1,)))
    return array.reshape(len(array), math.prod(shape)), (shape[0], shape[1], shape[2])


def image_shape(features: int, wanted: Any, found: ImageShape | None) -> ImageShape:
    """Return which images rows of so many values are.

    Without a word on it, images of a square number of values are square and grey; other rows are
    one pixel high.

    Args:
        features: Number of values in a row.
        wanted: (H, W) or (H, W, C) that the user asks for, or None.
        found: The shape that the images came with, or None for rows.

    Raises:
        UsageError: Wanted and found are not the same, or the shape cannot be told.
    """
    if wanted is not None:
        return _agreeing(_parsed(wanted), features, found)
    if found is not None:
        _require_channels_last(found)
        return found
    side = math.isqrt(features)
    if side**2 == features:
        return side, side, 1
    colour_side = math.isqrt(features // 3)
    if 3 * colour_side**2 == features and colour_side >= SMALLEST_COLOUR_SIDE:
        raise UsageError(
            f"rows of {features} values may be colour images of {colour_side}×{colour_side}",
            expected="image_shape, or images (N, H, W, C)",
            fix=f"pass image_shape=({colour_side}, {colour_side}, 3) if a row holds the three "
            f"values of a pixel side by side, or image_shape=(1, {features}) if it is no image",
        )
    return 1, features, 1


def _parsed(wanted: Any) -> ImageShape:
    sides = tuple(wanted) if isinstance(wanted, tuple | list) else ()
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


def _agreeing(wanted: ImageShape, features: int, found: ImageShape | None) -> ImageShape:
    if found not in (None, wanted):
        raise UsageError(
            f"the images are of shape {found}, and image_shape is {wanted}",
            expected="(height, width, channels) alike",
            fix="leave image_shape out: images tell their own",
        )
    if math.prod(wanted) != features:
        raise UsageError(
            f"rows have {features} values, and image_shape {wanted} has {math.prod(wanted)}",
            expected="as many",
            fix="pass the image_shape that the rows were made from",
        )
    return wanted


def _require_channels_last(shape: ImageShape) -> None:
    first, height, last = shape
    if first in (1, 3) and last > 4 and height > 4:
        raise UsageError(
            f"the images are of shape {shape}, which looks like (channels, height, width)",
            expected="(N, height, width, channels)",
            fix=f"pass X.transpose(0, 2, 3, 1), or image_shape={shape} if they are as they seem",
        )


@dataclass(frozen=True)
class Levels:
    """Which values are levels 0 and 255; those between are rounded, those beyond are clipped."""

    low: float
    high: float

    @classmethod
    def of(cls, rows: Array, wanted: Any) -> "Levels":
        """Choose the levels of training images.

        Those are, in this order: the wanted ones; 0 and 255 for uint8; 0 and 1 if no value lies
        outside of them; the least and the greatest value.

        Raises:
            UsageError: Wanted is no range, or 256 levels cannot tell the values apart.
        """
        if wanted is not None:
            return _parsed_levels(wanted)
        if rows.dtype == np.uint8:
            return cls(0.0, 255.0)
        low, high = float(rows.min()), float(rows.max())
        if low >= 0 and high <= 1:
            return cls(0.0, 1.0)
        if low == high:
            return cls(low, low + 1)
        levels = cls(low, high)
        _require_spread(levels, rows)
        return levels

    @property
    def width(self) -> float:
        """How far apart levels 0 and 255 are."""
        return self.high - self.low

    def require_scale(self, rows: Array) -> None:
        """Refuse images whose values are of another scale.

        Raises:
            UsageError: Their mean lies far outside of the range, or they are fractions of 1 where
                0..255 is meant.
        """
        mean = float(rows.mean(dtype=np.float64))
        outside = not self.low - self.width <= mean <= self.high + self.width
        fractions = self == Levels(0.0, 255.0) and rows.dtype.kind == "f" and _are_fractions(rows)
        if outside or fractions:
            raise UsageError(
                f"values from {rows.min():g} to {rows.max():g}, of mean {mean:g}, are of another "
                f"scale than the range {self.low:g} to {self.high:g}",
                expected="images of the scale of those that `fit` is given, and of its value_range",
                fix="scale the images alike",
            )

    def pixels(self, rows: Array, shape: ImageShape) -> torch.Tensor:
        """Return rows (N, F) as images (N, H, W, C) uint8; uint8 rows 0..255 are not copied."""
        if rows.dtype == np.uint8 and self == Levels(0.0, 255.0):
            return as_tensor(rows).view(len(rows), *shape)
        pixels = np.empty(rows.shape, np.uint8)
        for chosen in _chunks(rows):
            levels = (rows[chosen].astype(np.float64) - self.low) * (255 / self.width)
            pixels[chosen] = np.rint(levels.clip(0, 255))
        return torch.from_numpy(pixels).view(len(rows), *shape)


def _parsed_levels(wanted: Any) -> Levels:
    pair = tuple(wanted) if isinstance(wanted, tuple | list) else ()
    numbers = all(isinstance(one, int | float | np.number) and math.isfinite(one) for one in pair)
    if len(pair) != 2 or not numbers or not pair[0] < pair[1]:
        raise UsageError(
            f"value_range is {wanted!r}",
            expected="two numbers, the lower one first: what is black and what is white",
            fix="use for example (0, 255)",
        )
    return Levels(float(pair[0]), float(pair[1]))


def _are_fractions(rows: Array) -> bool:
    return float(rows.max()) <= 1 and bool((rows % 1 != 0).any())


def _require_spread(levels: Levels, rows: Array) -> None:
    """Refuse a range that an outlier has made so wide that the other values fall into one level."""
    sample = rows[:: math.ceil(rows.size / SAMPLED_VALUES)]
    low, high = map(float, np.quantile(sample, (0.01, 0.99)))
    if 0 < high - low < levels.width / 255:
        raise UsageError(
            f"values run from {levels.low:g} to {levels.high:g}, but 98% of them from {low:g} to "
            f"{high:g}: 256 levels over the whole range would not tell those apart",
            expected="values that are spread over their range",
            fix="pass value_range=(low, high); values beyond it are clipped",
        )


def _chunks(rows: Array) -> Iterator[slice]:
    """Yield slices of some megabytes of float64, so that large arrays need little more memory."""
    step = max(1, CHUNK_BYTES // (8 * rows.shape[1]))
    for start in range(0, len(rows), step):
        yield slice(start, start + step)
