"""Brightness: add one number to all pixels of an image.

Source: Howard 2013, "Some Improvements on Deep Convolutional Neural Network Based Image
Classification", arXiv:1312.5402. Additive, where Howard multiplies: a factor would leave black
pixels black and be hard to tell from `contrast`.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, per_image, uniform
from rungwise.augment.settings import require_effect


@dataclass(frozen=True, kw_only=True)
class Brightness(Augmentation):
    """Teach the model that light changes and things stay.

    Unlike `channel-shift`, it clips to 0..1: a dark image may turn lighter than it ever was.

    Raises:
        ConfigError: `amount` is not above 0 and up to 1.
    """

    amount: float = 0.2
    """Largest change, where 1 is the way from black to white."""

    def __post_init__(self) -> None:
        require_effect("brightness", "amount", self.amount, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return brighten(images, uniform(images, rng, -self.amount, self.amount))


def brighten(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Return `images` (N, C, H, W) plus `amounts` (N,), clipped to 0..1."""
    return (images + per_image(amounts, images)).clamp_(0, 1)
