"""Label smoothing: part of each target goes to all classes alike.

Source: Szegedy et al. 2016, "Rethinking the Inception Architecture", arXiv:1512.00567.
"""

from dataclasses import dataclass

import torch

from rungwise.errors import ConfigError
from rungwise.techniques.base import Batch, Technique


@dataclass(frozen=True, kw_only=True)
class LabelSmoothing(Technique):
    """Keep the net from growing over-confident.

    Raises:
        ConfigError: `amount` is not between 0 and 1.
    """

    amount: float = 0.1
    """Share of the target that is spread over all classes."""

    def __post_init__(self) -> None:
        if not 0 < self.amount < 1:
            raise ConfigError(
                f"label-smoothing amount is {self.amount}",
                expected="a number between 0 and 1",
                fix="pass a share such as 0.1, or drop the technique",
            )

    def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
        """Smooth the targets."""
        return batch._replace(targets=smooth(batch.targets, self.amount))


def smooth(targets: torch.Tensor, amount: float) -> torch.Tensor:
    """Return (1 - amount) · targets + amount / K, for targets (N, K).

    >>> smooth(torch.tensor([[1.0, 0.0]]), 0.5).tolist()
    [[0.75, 0.25]]
    """
    return targets * (1 - amount) + amount / targets.shape[1]
