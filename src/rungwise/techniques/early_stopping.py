"""Early stopping: end the training when validation no longer improves.

Source: Prechelt 1998, "Early stopping - but when?"; counting as in Keras's `EarlyStopping`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.techniques.base import EpochRecord, Technique

Monitor = Literal["val_loss", "val_acc"]


@dataclass(frozen=True, kw_only=True)
class EarlyStopping(Technique):
    """Stop after `patience` epochs in a row without an improvement of more than `min_delta`.

    Which weights are kept is the recipe's `keep`, not this technique's affair.

    Raises:
        ConfigError: `monitor` is unknown, `patience` below 1 or `min_delta` negative.
    """

    monitor: Monitor = "val_loss"
    """What is watched: the loss is to fall, the accuracy to rise."""
    patience: int = 10
    """Epochs without improvement that are borne."""
    min_delta: float = 0.0
    """The least change that counts as an improvement."""

    def __post_init__(self) -> None:
        if self.monitor not in get_args(Monitor):
            raise ConfigError(
                f"early-stopping monitor is {self.monitor!r}",
                expected="one of " + ", ".join(get_args(Monitor)),
                fix="pass 'val_loss' for the usual form",
            )
        if self.patience < 1 or not self.min_delta >= 0:
            raise ConfigError(
                f"early-stopping has patience {self.patience} and min_delta {self.min_delta}",
                expected="patience of 1 epoch or more, min_delta of 0 or more",
                fix="use for example patience: 10, min_delta: 0.0",
            )

    def check(self, model: Model, validated: bool) -> None:
        """Refuse trainings without validation images."""
        if not validated:
            raise ConfigError(
                "early-stopping has nothing to watch: no validation images are held out",
                expected="a validation share above 0",
                fix="set validation: 0.1, or drop early-stopping",
            )

    def likely_epochs(self, epochs: int) -> int:
        """Guess that the best epoch comes after twice the patience."""
        return min(epochs, 3 * self.patience)

    def stops(self, history: Sequence[EpochRecord]) -> bool:
        """Count the epochs since the last improvement."""
        sign = -1.0 if self.monitor == "val_acc" else 1.0
        best, waited = float("inf"), 0
        for record in history:
            value = getattr(record, self.monitor)
            if value is None:
                continue
            # A loss that is not a number is no improvement: the comparison is false.
            if sign * value + self.min_delta < best:
                best, waited = sign * value, 0
            else:
                waited += 1
        return waited >= self.patience and len(history) > 1
