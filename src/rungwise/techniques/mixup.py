"""Mixup: train on weighted means of two images and of their targets.

Source: Zhang et al. 2018, "mixup: Beyond empirical risk minimization", arXiv:1710.09412.
"""

import math
from dataclasses import dataclass

import torch

from rungwise.errors import ConfigError
from rungwise.techniques.base import Batch, Technique


@dataclass(frozen=True, kw_only=True)
class Mixup(Technique):
    """Make the net linear between classes. One mixing weight for each image.

    The paper draws one weight for a whole batch; a weight for each image has the same distribution
    and less variance.

    Raises:
        ConfigError: `alpha` is not positive, or infinite.
    """

    alpha: float = 0.2
    """Both parameters of the Beta distribution of the weight; larger mixes more evenly."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ConfigError(
                f"mixup alpha is {self.alpha}",
                expected="a number above 0",
                fix="pass a value such as 0.2, or drop the technique",
            )

    def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
        """Mix every image with another of the batch."""
        count = len(batch.images)
        partner = torch.randperm(count, generator=rng, device=rng.device)
        weights = beta(self.alpha, count, rng)
        return mix(batch, partner.to(batch.images.device), weights.to(batch.images.device))


def beta(alpha: float, count: int, rng: torch.Generator) -> torch.Tensor:
    """Draw `count` numbers from Beta(alpha, alpha): (count,) float32."""
    shape = torch.full((2, count), alpha + 1, dtype=torch.float64, device=rng.device)
    draws = torch._standard_gamma(shape, generator=rng)
    powers = torch.rand((2, count), dtype=torch.float64, generator=rng, device=rng.device)
    # Gamma(alpha) is Gamma(alpha + 1) · U^(1 / alpha); in logarithms, for it underflows when alpha
    # is small. (1 - U is never 0.)
    first, second = draws.log() + (1 - powers).log() / alpha
    weights: torch.Tensor = torch.sigmoid(first - second)
    return weights.float()


def mix(batch: Batch, partner: torch.Tensor, weights: torch.Tensor) -> Batch:
    """Return weights · batch + (1 - weights) · batch[partner].

    Args:
        batch: N images with targets.
        partner: (N,) int64 indices into the batch.
        weights: (N,) float in 0..1, each image's own share.
    """
    images = torch.lerp(batch.images[partner], batch.images, weights[:, None, None, None])
    targets = torch.lerp(batch.targets[partner], batch.targets, weights[:, None])
    return Batch(images, targets)
