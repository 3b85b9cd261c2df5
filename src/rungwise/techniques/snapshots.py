"""Snapshot ensemble: one training, several nets, one from the end of each of its last cycles.

Source: Huang et al. 2017, "Snapshot ensembles: train 1, get M for free", arXiv:1704.00109.
"""

from dataclasses import dataclass

from rungwise.errors import ConfigError
from rungwise.techniques.base import Technique


@dataclass(frozen=True, kw_only=True)
class Snapshots(Technique):
    """Predict with the mean of the nets at the ends of the last cycles of the learning rate.

    Each rise of the rate throws the net out of the valley that it has settled in, so that it
    settles in another. It costs the training of one net and the prediction of `count`. Wants a
    schedule with cycles, such as cyclic-cosine; what else the rate's shape does is seen by the same
    recipe without this technique. In an ensemble every member is kept so.

    Raises:
        ConfigError: `count` is below 2.
    """

    count: int = 3
    """Number of nets: those at the ends of the last cycles, the training's end included."""

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ConfigError(
                f"snapshots has count {self.count}",
                expected="2 or more; one net is kept anyway",
                fix="use for example count: 3, or drop snapshots",
            )

    def nets(self) -> int:
        """Return `count`."""
        return self.count
