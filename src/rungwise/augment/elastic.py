"""Elastic: move every pixel a little, and neighbours alike, as a hand does that writes.

Source: Simard et al. 2003, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis" (elastic distortions). Two deviations: `strength` is how far pixels move, where
the paper's factor is applied to a field that shrinks as it is smoothed (its 34 at a smoothness of
4 is a strength of about 1.4); and the field is as strong at the border as in the middle.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, random_levels
from rungwise.augment.resampling import centred, read_between
from rungwise.augment.settings import require_effect

LEVELS = 256
LEVELS_DEVIATION = ((LEVELS**2 - 1) / 12) ** 0.5


@dataclass(frozen=True, kw_only=True)
class Elastic(Augmentation):
    """Teach the model the many forms that one written character has.

    Raises:
        ConfigError: A setting is not above 0 and up to 100.
    """

    strength: float = 1.0
    """How far pixels move along each axis, in pixels: the root of the mean square."""

    smoothness: float = 4.0
    """Deviation of the Gaussian that smooths the moves, in pixels."""

    def __post_init__(self) -> None:
        require_effect("elastic", "strength", self.strength, most=100)
        require_effect("elastic", "smoothness", self.smoothness, most=100)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        height, width = images.shape[-2:]
        # Rows first: so both smoothings are single products of matrices, with nothing copied.
        levels = random_levels(height * len(images) * 2 * width, rng).to(images.device)
        noise = (levels.float() - (LEVELS - 1) / 2) * (self.strength / LEVELS_DEVIATION)
        moves = smooth(noise.view(height, len(images), 2, width), self.smoothness)
        down, right = moves.permute(2, 1, 0, 3)
        rows, columns = centred(height, images.device), centred(width, images.device)
        return read_between(images, rows[:, None] + down, columns + right)


def smooth(noise: torch.Tensor, deviation: float) -> torch.Tensor:
    """Smooth independent numbers along the first and the last axis; their variance stays.

    Args:
        noise: (H, ..., W) float32.
        deviation: Of the Gaussian, in steps along an axis.
    """
    height, width = noise.shape[0], noise.shape[-1]
    along_rows = smoothing(height, deviation, noise.device) @ noise.reshape(height, -1)
    both = along_rows.view(-1, width) @ smoothing(width, deviation, noise.device).T
    return both.view(noise.shape)


def smoothing(side: int, deviation: float, device: torch.device) -> torch.Tensor:
    """Return the matrix (side, side) that smooths a column of independent numbers.

    Each row is a Gaussian about the diagonal, cut at the border, whose squares sum to 1: so what
    it makes of numbers of variance 1 has variance 1, at the border too.
    """
    places = centred(side, device)
    band = ((places - places[:, None]) / deviation).square().mul(-0.5).exp()
    return band / band.square().sum(1, keepdim=True).sqrt()
