"""What a benchmark found: turns, medians, and ratios within rounds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rungwise.bench.nets import NETS
from rungwise.bench.process import Turn


def share_of_product(turns: Sequence[Turn], flops_per_image: float) -> float | None:
    """Return the median share of the product's speed beside it that a turn reaches.

    Args:
        turns: Of one contestant.
        flops_per_image: Operations of one image, forward and backward.
    """
    shares = [
        turn.images_per_second * flops_per_image / turn.product for turn in turns if turn.product
    ]
    return statistics.median(shares) if shares else None


RATIOS: dict[str, tuple[str, str]] = {
    "auto / keras": ("rungwise", "keras"),
    "auto / keras-bfloat16": ("rungwise", "keras-bfloat16"),
    "float32 / keras": ("rungwise-float32", "keras"),
    "auto / torch-eager": ("rungwise", "torch-eager"),
}
"""How many times as many images a second the first contestant trains on as the second."""


@dataclass(frozen=True)
class Entry:
    """What a contestant did with a net.

    Args:
        name: The contestant's name.
        about: What it told of itself when it was ready.
        turns: Its turns, one for each round.
        problem: Why it is missing, if it is.
    """

    name: str
    about: Mapping[str, Any]
    turns: tuple[Turn, ...]
    problem: str | None = None

    @property
    def images_per_second(self) -> float | None:
        """Median over the turns; None if the contestant is missing."""
        if self.problem is not None:
            return None
        return statistics.median(turn.images_per_second for turn in self.turns)

    @property
    def peak_memory(self) -> int | None:
        """The most bytes that its process has held; None if the contestant is missing."""
        return None if self.problem is not None else self.turns[-1].peak_memory

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "about": dict(self.about),
            "images_per_second": self.images_per_second,
            "peak_memory": self.peak_memory,
            "turns": [turn.to_dict() for turn in self.turns],
            "problem": self.problem,
        }


@dataclass(frozen=True)
class NetResult:
    """What all contestants did with a net.

    Args:
        net: The net's name.
        entries: One for each contestant, in the order of a round.
    """

    net: str
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        """Return what the contestant `name` did, or None if it did not take part."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def ratio(self, first: str, second: str) -> float | None:
        """Return the median over the rounds of how much faster `first` was than `second`."""
        ours, theirs = self.entry(first), self.entry(second)
        if ours is None or theirs is None or ours.problem or theirs.problem:
            return None
        return statistics.median(
            our_turn.images_per_second / their_turn.images_per_second
            for our_turn, their_turn in zip(ours.turns, theirs.turns, strict=True)
        )

    def shares(self) -> dict[str, float | None]:
        """Return, for our contestants, the share of a matrix product's speed that they reach."""
        ours = [entry for entry in self.entries if entry.name.startswith("rungwise")]
        return {entry.name: self._share(entry) for entry in ours}

    def _share(self, entry: Entry) -> float | None:
        if entry.problem is not None:
            return None
        flops = NETS[self.net].summary().training_flops_per_image
        return share_of_product(entry.turns, flops)

    def ratios(self) -> dict[str, float | None]:
        """Return `RATIOS` with their values."""
        return {title: self.ratio(*names) for title, names in RATIOS.items()}

    def problems(self) -> list[str]:
        """Return a line for each contestant that is missing or trained another net."""
        return [*self._missing(), *self._other_nets()]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "contestants": {entry.name: entry.to_dict() for entry in self.entries},
            "ratios": self.ratios(),
            "shares_of_product": self.shares(),
            "problems": self.problems(),
        }

    def _missing(self) -> list[str]:
        return [
            f"{self.net}: {entry.name} is missing: {entry.problem}"
            for entry in self.entries
            if entry.problem is not None
        ]

    def _other_nets(self) -> list[str]:
        counts = {
            entry.name: entry.about["parameters"]
            for entry in self.entries
            if "parameters" in entry.about
        }
        if len(set(counts.values())) < 2:
            return []
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        return [f"{self.net}: these are different nets, by their parameters: {told}"]


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """A whole benchmark.

    Args:
        machine: Facts about the machine and our libraries.
        date: When it started, as ISO 8601 has it.
        repeats: Rounds that count.
        nets: One result for each net.
    """

    machine: Mapping[str, Any]
    date: str
    repeats: int
    nets: tuple[NetResult, ...] = ()

    def adding(self, net: NetResult) -> "BenchResult":
        """Return the result with one net more."""
        return replace(self, nets=(*self.nets, net))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "machine": dict(self.machine),
            "date": self.date,
            "repeats": self.repeats,
            "nets": {net.net: net.to_dict() for net in self.nets},
        }
