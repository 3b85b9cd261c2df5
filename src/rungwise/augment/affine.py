"""Affine: rotate, shift, shear and zoom each image in one resampling.

Source: the composition of Keras's ImageDataGenerator (Chollet et al. 2015), re-derived. With
p and q the places of a pixel in the new and in the old image, both measured from the centre,

    q = R(angle) · (shift + S(shear) · Z(zoom) · p),

so the zoom scales what the window sees (above 1 the thing grows smaller), and the shift is turned
with the image. S moves each row along x by tan(shear) times its place: rows stay rows, columns lean
by the angle, above 0 to the right as italics do. (LeCun et al. 1998, "Gradient-Based Learning
Applied to Document Recognition", trains with such a horizontal shear; Keras's, which shortens the
rows' distances by the angle's cosine as well, is another.) Every output pixel is read from the old
image between its four nearest pixels; beyond the border stands the nearest border pixel.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, uniform
from rungwise.augment.resampling import centred, read_between
from rungwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Affine(Augmentation):
    """Teach the model that pose, place and size do not change what a thing is.

    Raises:
        ConfigError: A setting is out of its range, or all four are 0.
    """

    rotate_degrees: float = 0.0
    """Largest turn about the centre, 0 to 180; each image draws from -this to this."""

    shift: float = 0.0
    """Largest move, as a share 0 to 1 of the height and of the width, drawn for each axis."""

    zoom: float = 0.0
    """Largest change of scale, 0 to below 1; each axis draws its own from 1-zoom to 1+zoom."""

    shear_degrees: float = 0.0
    """Largest slant of upright lines, 0 to 80; each image draws from -this to this."""

    def __post_init__(self) -> None:
        _require_range("rotate_degrees", self.rotate_degrees, 180, "degrees from 0 to 180")
        _require_range("shift", self.shift, 1, "a share of the side from 0 to 1")
        _require_range("zoom", self.zoom, 0.999, "a number from 0 to below 1; 0.2 for 0.8 to 1.2")
        _require_range("shear_degrees", self.shear_degrees, 80, "degrees from 0 to 80")
        if self.rotate_degrees == self.shift == self.zoom == self.shear_degrees == 0:
            raise ConfigError(
                "affine has no effect: rotate_degrees, shift, zoom and shear_degrees are all 0",
                expected="at least one of them above 0",
                fix="set one, such as rotate_degrees=10, or leave affine out",
            )

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        height, width = images.shape[-2:]
        angle = uniform(images, rng, -self.rotate_degrees, self.rotate_degrees).deg2rad()
        down = uniform(images, rng, -self.shift, self.shift) * height
        right = uniform(images, rng, -self.shift, self.shift) * width
        zoom_rows = uniform(images, rng, 1 - self.zoom, 1 + self.zoom)
        zoom_columns = uniform(images, rng, 1 - self.zoom, 1 + self.zoom)
        shear = torch.zeros_like(angle)
        if self.shear_degrees:  # Drawn only if asked for: other recipes keep their draws.
            shear = uniform(images, rng, -self.shear_degrees, self.shear_degrees).deg2rad()
        return resample(images, source_map(angle, down, right, zoom_rows, zoom_columns, shear))


def source_map(
    angle: torch.Tensor,
    down: torch.Tensor,
    right: torch.Tensor,
    zoom_rows: torch.Tensor,
    zoom_columns: torch.Tensor,
    shear: torch.Tensor,
) -> torch.Tensor:
    """Return for each image the map from a new place to the old one: (N, 2, 3) float32.

    The rows give the old row and the old column; the columns multiply the new row, the new column
    and 1. Places are in pixels from the image's centre.

    Args:
        angle: (N,) in radians.
        down: (N,) shift of the window along the rows, in pixels.
        right: (N,) shift of the window along the columns, in pixels.
        zoom_rows: (N,) factor along the rows.
        zoom_columns: (N,) factor along the columns.
        shear: (N,) slant of the columns, in radians, between -π/2 and π/2.
    """
    cos, sin, slant = angle.cos(), angle.sin(), shear.tan()
    row = ((cos - sin * slant) * zoom_rows, -sin * zoom_columns, cos * down - sin * right)
    column = ((sin + cos * slant) * zoom_rows, cos * zoom_columns, sin * down + cos * right)
    return torch.stack([torch.stack(row, -1), torch.stack(column, -1)], dim=-2)


def resample(images: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Read every new pixel from its old place, bilinearly, with the nearest pixel beyond borders.

    Args:
        images: (N, C, H, W) float in 0..1.
        maps: (N, 2, 3) float32, as `source_map` returns them.
    """
    rows = centred(images.shape[-2], maps.device)[:, None]
    columns = centred(images.shape[-1], maps.device)
    m = maps[:, :, :, None, None]
    old_rows = m[:, 0, 0] * rows + m[:, 0, 1] * columns + m[:, 0, 2]
    old_columns = m[:, 1, 0] * rows + m[:, 1, 1] * columns + m[:, 1, 2]
    return read_between(images, old_rows, old_columns)


def _require_range(setting: str, value: float, most: float, expected: str) -> None:
    if not 0 <= value <= most:
        raise ConfigError(f"affine: {setting} is {value}", expected=expected, fix=f"set {setting}")
