"""Flip: mirror some of the images left-right.

Source: Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks".
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, uniform
from rungwise.augment.settings import require_effect


@dataclass(frozen=True, kw_only=True)
class Flip(Augmentation):
    """Teach the model that a thing seen from its other side is the same thing.

    Not for images whose meaning depends on left and right, such as digits.

    Raises:
        ConfigError: `probability` is not above 0 and up to 1.
    """

    mirrors = True

    probability: float = 0.5
    """Share of the images that are mirrored."""

    def __post_init__(self) -> None:
        require_effect("flip", "probability", self.probability, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return flip_where(images, uniform(images, rng, 0, 1) < self.probability, axis=-1)


def flip_where(images: torch.Tensor, chosen: torch.Tensor, axis: int) -> torch.Tensor:
    """Return `images` with the chosen ones reversed along an axis.

    Args:
        images: (N, C, H, W), any dtype.
        chosen: (N,) bool.
        axis: -1 mirrors left-right, -2 top-bottom.
    """
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(axis), images)
