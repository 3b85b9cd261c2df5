"""Channel shift: add one number to all pixels of an image, within the image's own range.

Source: Keras's ImageDataGenerator (Chollet et al. 2015), `channel_shift_range`: one draw for all
channels, and clipping to the image's own smallest and largest value, so that black stays black.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, per_image, uniform
from rungwise.augment.settings import require_effect


@dataclass(frozen=True, kw_only=True)
class ChannelShift(Augmentation):
    """Teach the model that light changes and things stay; the darkest and lightest tone stay too.

    Raises:
        ConfigError: `amount` is not above 0 and up to 1.
    """

    amount: float = 0.2
    """Largest shift, where 1 is the way from black to white."""

    def __post_init__(self) -> None:
        require_effect("channel-shift", "amount", self.amount, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return shift_channels(images, uniform(images, rng, -self.amount, self.amount))


def shift_channels(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Return `images` (N, C, H, W) plus `amounts` (N,), each clipped to its image's own range."""
    darkest = images.amin((1, 2, 3), keepdim=True)
    lightest = images.amax((1, 2, 3), keepdim=True)
    return (images + per_image(amounts, images)).clamp(darkest, lightest)
