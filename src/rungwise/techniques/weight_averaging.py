"""Exponential moving average (EMA) of the weights over the steps of one training.

Source: Polyak & Juditsky 1992; Tarvainen & Valpola 2017, "Mean teachers", arXiv:1703.01780.
"""

from dataclasses import dataclass

from rungwise.errors import ConfigError
from rungwise.techniques.base import Technique, Weights, copied, follow


@dataclass(frozen=True, kw_only=True)
class WeightAveraging(Technique):
    """Evaluate and keep the mean of the last weights instead of the very last ones.

    Buffers (batch normalisation's statistics) are averaged like weights, counters are copied. Over
    the first steps the decay is (1 + step) / (10 + step) where that is smaller, so that the random
    start is forgotten.

    Raises:
        ConfigError: `decay` is not between 0 and 1.
    """

    decay: float = 0.999
    """Share of the average that a step keeps; 1 / (1 - decay) steps are averaged."""

    def __post_init__(self) -> None:
        if not 0 < self.decay < 1:
            raise ConfigError(
                f"weight-averaging decay is {self.decay}",
                expected="a number between 0 and 1",
                fix="pass a value such as 0.999",
            )

    def average(
        self, average: Weights | None, weights: Weights, step: int, steps: int
    ) -> Weights | None:
        """Move the average towards the weights (in place: it may be as large as the net)."""
        if average is None:
            return copied(weights)
        follow(average, weights, 1 - min(self.decay, (1 + step) / (10 + step)))
        return average
