"""Mean and spread over seeds."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Values over the seeds, in the seeds' order."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Arithmetic mean."""
        return math.fsum(self.values) / len(self.values)

    @property
    def std(self) -> float | None:
        """Standard deviation of a sample; None for a single value.

        >>> Spread((1.0, 3.0)).std
        1.4142135623730951
        """
        if len(self.values) < 2:
            return None
        squares = math.fsum((value - self.mean) ** 2 for value in self.values)
        return math.sqrt(squares / (len(self.values) - 1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"mean": self.mean, "std": self.std, "values": list(self.values)}
