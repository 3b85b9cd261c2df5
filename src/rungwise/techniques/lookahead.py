"""Lookahead: slow weights follow the trained ones, which start anew from them every few steps.

Source: Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back", arXiv:1907.08610;
in the form of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498,
where the share of themselves that the slow weights keep grows with the cube of the progress, and
batch normalisation's statistics take part. One deviation: the slow weights begin as the net after
its first step, not before it.
"""

from dataclasses import dataclass

from rungwise.errors import ConfigError
from rungwise.techniques.base import Technique, Weights, copied, follow


@dataclass(frozen=True, kw_only=True)
class Lookahead(Technique):
    """Average out the last steps' noise while training goes on from the average.

    Every `every` steps slow ← slow + (1 - d) · (net - slow), then net ← slow, where
    d = `decay` · (step / steps)³. The slow weights are what is evaluated and kept, so steps behind
    the last such one do not count.

    Raises:
        ConfigError: `every` is below 2 or `decay` is not between 0 and 1; at the first step, if the
            training has fewer steps than `every`.
    """

    every: int = 5
    """Steps of the net for each of the slow weights."""
    decay: float = 0.95**5
    """Share that the slow weights keep of themselves at the training's end."""

    def __post_init__(self) -> None:
        if self.every < 2:
            raise ConfigError(
                f"lookahead every is {self.every}",
                expected="2 steps or more",
                fix="use for example every: 5",
            )
        if not 0 < self.decay < 1:
            raise ConfigError(
                f"lookahead decay is {self.decay}",
                expected="a number between 0 and 1",
                fix="pass a share such as 0.77, not a percentage",
            )

    def average(
        self, average: Weights | None, weights: Weights, step: int, steps: int
    ) -> Weights | None:
        """Every few steps move the slow weights and set the net to them, all in place."""
        if average is None:
            self._require_steps(steps)
            return copied(weights)
        if step % self.every:
            return average
        follow(average, weights, 1 - self.decay * (step / steps) ** 3)
        for name, tensor in weights.items():
            tensor.copy_(average[name])
        return average

    def _require_steps(self, steps: int) -> None:
        if steps < self.every:
            raise ConfigError(
                f"lookahead acts every {self.every} steps, and the training has {steps}",
                expected=f"{self.every} steps or more",
                fix="lower every or batch_size, or raise epochs",
            )
