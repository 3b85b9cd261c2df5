"""Crop: pad each image by reflection, then cut a window of the old size at a random place.

Source: He et al. 2016, "Deep Residual Learning", arXiv:1512.03385 (padding of 4, with zeros);
Zagoruyko & Komodakis 2016, "Wide Residual Networks", arXiv:1605.07146 (with reflections, as here).
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, integers
from rungwise.augment.settings import require_below_side, require_effect
from rungwise.augment.shift import shift_images


@dataclass(frozen=True, kw_only=True)
class Crop(Augmentation):
    """Teach the model that it does not matter where in the image the thing stands.

    The recipe of most CIFAR papers, under their name and with their number. Cutting a window out
    of a padded image is moving it: the same draws as `shift` with fill 'reflect'.

    Raises:
        ConfigError: `padding` is not above 0; at the call, if the images are not larger.
    """

    padding: int = 4
    """Pixels added on each side before the window is cut."""

    def __post_init__(self) -> None:
        require_effect("crop", "padding", self.padding)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        require_below_side("crop", "padding", self.padding, images)
        down = integers(images, rng, -self.padding, self.padding)
        right = integers(images, rng, -self.padding, self.padding)
        return shift_images(images, down, right, most=self.padding, fill="reflect")
