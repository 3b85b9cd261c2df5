"""What is wrong with some data, told all at once."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from rungwise.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first, as they are told."""

EXAMPLES = 5
"""How many files or images of a problem are named in a sentence; the rest is counted."""

LONG_EXAMPLES = 20
"""How many links and groups of copies a report lists."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One kind of problem, with a few of the places where it occurs.

    Args:
        severity: With an `error` the data cannot be trained on; a `warning` can be lived with; a
            `note` tells what the data are like, and nothing is to be mended.
        kind: A stable short name, for programs.
        problem: What is wrong, with the count of all places.
        expected: What would have been right.
        fix: What to do now.
        count: Number of places.
        examples: The first few places.
    """

    severity: Severity
    kind: str
    problem: str
    expected: str
    fix: str
    count: int = 1
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: DataError) -> "Problem":
        """Return the problem that an error tells of."""
        return cls(
            severity="error",
            kind="unusable",
            problem=error.problem,
            expected=error.expected or "data that can be loaded",
            fix=error.fix or "mend the data",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {**asdict(self), "examples": list(self.examples)}


def listed(names: Iterable[str], count: int | None = None) -> str:
    """Name the first few and count the rest.

    >>> listed(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    names = list(names)
    shown = names[:EXAMPLES]
    rest = (len(names) if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def data_error(problems: Sequence[Problem]) -> DataError:
    """Return one error that tells all of `problems`, of which there is at least one."""
    if len(problems) == 1:
        only = problems[0]
        return DataError(only.problem, expected=only.expected, fix=only.fix)
    return DataError(
        "; ".join(f"({i}) {p.problem}" for i, p in enumerate(problems, 1)),
        expected="; ".join(f"({i}) {p.expected}" for i, p in enumerate(problems, 1)),
        fix="; ".join(f"({i}) {p.fix}" for i, p in enumerate(problems, 1)),
    )
