"""Vertical flip: mirror some of the images top-bottom.

Source: Krizhevsky et al. 2012 (as `flip`), turned by a quarter.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, uniform
from rungwise.augment.flip import flip_where
from rungwise.augment.settings import require_effect


@dataclass(frozen=True, kw_only=True)
class VerticalFlip(Augmentation):
    """Teach the model that up and down mean nothing: views from above, cells, textures.

    Raises:
        ConfigError: `probability` is not above 0 and up to 1.
    """

    probability: float = 0.5
    """Share of the images that are turned upside down, as in a mirror."""

    def __post_init__(self) -> None:
        require_effect("vertical-flip", "probability", self.probability, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return flip_where(images, uniform(images, rng, 0, 1) < self.probability, axis=-2)
