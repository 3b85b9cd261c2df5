"""Learning-rate schedules: a factor on the optimizer's rate as the training goes on.

Times are shares of the whole training, so a recipe keeps its shape when `epochs` changes.
"""

import math
from dataclasses import dataclass

from rungwise.errors import ConfigError

ROUNDING = 1e-9
"""Far less than one step's share: what arithmetic with shares may be wrong by."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A rate that may rise in a straight line over the first `warmup_share` of the training.

    Source of the warm-up: Goyal et al. 2017, arXiv:1706.02677.

    Raises:
        ConfigError: `warmup_share` is not in 0..1.
    """

    warmup_share: float = 0.0
    """Share of the training over which the rate rises from 0."""

    def __post_init__(self) -> None:
        require_share("warmup_share", self.warmup_share)

    def factor(self, progress: float) -> float:
        """Return what multiplies the learning rate at `progress`, 0 at the start, 1 at the end.

        >>> Constant(warmup_share=0.1).factor(0.05)
        0.5
        """
        if progress < self.warmup_share:
            return progress / self.warmup_share
        return self.after_warmup((progress - self.warmup_share) / (1 - self.warmup_share))

    def after_warmup(self, progress: float) -> float:
        """Return the factor, with `progress` counted from the end of the warm-up."""
        raise NotImplementedError

    def cycle(self, progress: float) -> int:
        """Return the number, from 0, of the cycle that the rate is in; most schedules have one."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The same rate from start to end (after a warm-up, if there is one)."""

    def after_warmup(self, progress: float) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class StepDecay(Schedule):
    """Divide the rate at given moments, as VGG and ResNet papers and article B do.

    Raises:
        ConfigError: The lists differ in length, or the moments do not rise within 0..1.
    """

    at: tuple[float, ...] = (2 / 3, 14 / 15)
    """Moments as shares of the training: 2/3 is epoch 100 of 150."""
    divide_by: tuple[float, ...] = (5.0, 2.0)
    """What the rate is divided by at each moment, on top of the divisions before."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rising = list(self.at) == sorted(set(self.at)) and all(0 < share < 1 for share in self.at)
        positive = all(divisor > 0 for divisor in self.divide_by)
        if not self.at or len(self.at) != len(self.divide_by) or not rising or not positive:
            raise ConfigError(
                f"step-decay has at {list(self.at)} and divide_by {list(self.divide_by)}",
                expected="as many rising shares between 0 and 1 as there are divisors above 0",
                fix="use for example at: [0.6667, 0.9333], divide_by: [5, 2]",
            )

    def after_warmup(self, progress: float) -> float:
        """Return 1 over the product of the divisors so far."""
        passed = [
            divisor
            for share, divisor in zip(self.at, self.divide_by, strict=True)
            if progress >= share - ROUNDING
        ]
        return 1 / math.prod(passed)


@dataclass(frozen=True, kw_only=True)
class Falling(Schedule):
    """A rate that falls to a share of itself.

    Raises:
        ConfigError: `end_factor` is not in 0..1.
    """

    end_factor: float = 0.0
    """Factor at the end of the training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share("end_factor", self.end_factor)


@dataclass(frozen=True, kw_only=True)
class Cosine(Falling):
    """Fall along half a cosine wave.

    Source: Loshchilov & Hutter 2017, "SGDR", arXiv:1608.03983.

    Raises:
        ConfigError: `end_factor` is not in 0..1.
    """

    def after_warmup(self, progress: float) -> float:
        """Return the wave's height."""
        return self.end_factor + (1 - self.end_factor) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True, kw_only=True)
class CyclicCosine(Cosine):
    """Fall along half a cosine wave several times, each time from the full rate.

    Source: Loshchilov & Hutter 2017, "SGDR", arXiv:1608.03983, with cycles of one length, as
    snapshot ensembles have them.

    Raises:
        ConfigError: `end_factor` is not in 0..1, or `cycles` is below 2.
    """

    cycles: int = 5
    """Number of falls, of equal length, after the warm-up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cycles < 2:
            raise ConfigError(
                f"cyclic-cosine has cycles {self.cycles}",
                expected="2 or more",
                fix="use for example cycles: 5, or the schedule cosine for one",
            )

    def after_warmup(self, progress: float) -> float:
        """Return the height of the wave of the cycle that `progress` is in."""
        return super().after_warmup(max(0.0, progress * self.cycles - self._number(progress)))

    def cycle(self, progress: float) -> int:
        """Count the cycles from the end of the warm-up, which belongs to the first."""
        return self._number((progress - self.warmup_share) / (1 - self.warmup_share))

    def _number(self, progress: float) -> int:
        number = math.floor(progress * self.cycles + ROUNDING)
        return min(max(number, 0), self.cycles - 1)


@dataclass(frozen=True, kw_only=True)
class Linear(Falling):
    """Fall in a straight line to `end_factor`.

    Source: Defazio et al. 2023, "When, Why and How Much? Adaptive Learning Rate Scheduling by
    Refinement", arXiv:2310.07831.

    Raises:
        ConfigError: `end_factor` is not in 0..1.
    """

    def after_warmup(self, progress: float) -> float:
        """Return the height of the line."""
        return 1 - (1 - self.end_factor) * progress


@dataclass(frozen=True, kw_only=True)
class OneCycle(Linear):
    """Rise in a straight line from `start_factor`, then fall in one to `end_factor`.

    Source: Smith & Topin 2018, "Super-convergence", arXiv:1708.07120.

    Raises:
        ConfigError: A factor is not in 0..1.
    """

    warmup_share: float = 0.25
    """Where the rate is at its peak."""
    start_factor: float = 0.2
    """Factor at the start of the training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share("start_factor", self.start_factor)

    def factor(self, progress: float) -> float:
        """Return the height of the triangle."""
        rise = super().factor(progress)
        if progress < self.warmup_share:
            return self.start_factor + (1 - self.start_factor) * rise
        return rise


def require_share(name: str, value: float) -> None:
    """Raise a ConfigError unless `value` is in 0..1 (1 excluded, so that something is left)."""
    if not 0 <= value < 1:
        raise ConfigError(
            f"{name} is {value}",
            expected="a share from 0 to below 1",
            fix="use for example 0.1, not a percentage or a number of epochs",
        )


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "cyclic-cosine": CyclicCosine,
    "linear": Linear,
    "one-cycle": OneCycle,
    "step-decay": StepDecay,
}
