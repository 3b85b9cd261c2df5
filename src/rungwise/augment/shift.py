"""Shift: move each image by a few whole pixels.

Source: Simard et al. 2003, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis" (translations of digits).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F

from rungwise.augment.base import Augmentation, integers
from rungwise.augment.settings import require_below_side, require_effect
from rungwise.errors import ConfigError

Fill = Literal["reflect", "nearest", "zero"]

_PAD_MODES: dict[Fill, str] = {"reflect": "reflect", "nearest": "replicate", "zero": "constant"}


@dataclass(frozen=True, kw_only=True)
class Shift(Augmentation):
    """Teach the model that it does not matter where in the image the thing stands.

    Whole pixels, so nothing is blurred; for shares of the side and subpixels see `affine`.

    Raises:
        ConfigError: `pixels` is not above 0, or `fill` is not one of the three; at the call, if
            the images are not larger than `pixels`.
    """

    pixels: int = 2
    """Largest move along each axis, in pixels; each image draws from -pixels to pixels."""

    fill: Fill = "reflect"
    """What enters at the border: the mirrored inside, the nearest pixel, or black (0)."""

    def __post_init__(self) -> None:
        require_effect("shift", "pixels", self.pixels)
        if self.fill not in get_args(Fill):
            raise ConfigError(
                f"shift: fill is {self.fill!r}",
                expected="one of " + ", ".join(get_args(Fill)),
                fix="pass 'zero' for a black border",
            )

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        require_below_side("shift", "pixels", self.pixels, images)
        down = integers(images, rng, -self.pixels, self.pixels)
        right = integers(images, rng, -self.pixels, self.pixels)
        return shift_images(images, down, right, most=self.pixels, fill=self.fill)


def shift_images(
    images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, *, most: int, fill: Fill
) -> torch.Tensor:
    """Return `images` moved by whole pixels, each by its own.

    Args:
        images: (N, C, H, W).
        down: (N,) int64, from -most to most.
        right: (N,) int64, from -most to most.
        most: Width of the border that is added before cutting; below H and W for 'reflect'.
        fill: What the border is made of.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, (most,) * 4, mode=_PAD_MODES[fill])
    # A view of every place the window can have; indexing copies one window for each image.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    each = torch.arange(len(images), device=images.device)
    return windows[each, :, most - down, most - right]
