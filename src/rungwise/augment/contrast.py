"""Contrast: stretch or flatten each image about its own mean.

Source: Howard 2013, "Some Improvements on Deep Convolutional Neural Network Based Image
Classification", arXiv:1312.5402.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, per_image, uniform
from rungwise.augment.settings import require_effect


@dataclass(frozen=True, kw_only=True)
class Contrast(Augmentation):
    """Teach the model that haze and harsh light do not change what a thing is.

    Raises:
        ConfigError: `amount` is not above 0 and up to 1.
    """

    amount: float = 0.2
    """Largest change of the factor; each image draws from 1-amount to 1+amount."""

    def __post_init__(self) -> None:
        require_effect("contrast", "amount", self.amount, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return scale_contrast(images, uniform(images, rng, 1 - self.amount, 1 + self.amount))


def scale_contrast(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Return each image's distance from its mean times its factor, clipped to 0..1.

    Args:
        images: (N, C, H, W) float in 0..1; the mean is over all pixels and channels.
        factors: (N,), 0 or more.
    """
    mean = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, per_image(factors, images)).clamp_(0, 1)
