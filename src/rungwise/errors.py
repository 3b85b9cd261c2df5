"""Everything a user can cause, as exceptions that say problem, expectation and fix.

    RungwiseError            exit code 1
    ├── UsageError           2   the call or a setting is wrong (also a ValueError)
    │   ├── ConfigError          a recipe, technique or option has an impossible value
    │   └── UnknownNameError     a name that is in no registry; tells the nearest right one
    ├── DataError            3   images, labels or files that cannot be used
    │   └── ArrayError           arrays that cannot be used (also a ValueError)
    ├── RunError             1   a run that is missing, diverges or is of another kind
    │   ├── DamagedError         a file of a run that is missing, cut off or altered
    │   └── BusyError            a run that another process is training
    ├── StorageError         1   the disk is full, or a place cannot be written
    └── Interrupted        130   stopped by the user; the state is saved (143 for SIGTERM)

and `Note`, a warning: the work goes on otherwise than it could.

Imports nothing of ours.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class RungwiseError(Exception):
    """A problem that the user can cause and mend.

    Args:
        problem: What is wrong, in one phrase, naming the place.
        expected: What would have been right.
        fix: What to do now.
    """

    exit_code = 1

    def __init__(
        self, problem: str, *, expected: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(problem, expected, fix)
        self.problem = problem
        self.expected = expected
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process hands its exceptions over pickled.
        return _restored, (type(self), self.problem, self.expected, self.fix), self.__dict__

    def __str__(self) -> str:
        parts = [self.problem]
        if self.expected:
            parts.append(f"  expected: {self.expected}")
        if self.fix:
            parts.append(f"  fix: {self.fix}")
        return "\n".join(parts)


class UsageError(RungwiseError, ValueError):
    """The call itself is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting has a value that cannot be used."""


class UnknownNameError(UsageError):
    """A name that is not in a registry.

    >>> print(UnknownNameError("data set", "minst", ["mnist", "cifar10"]))
    unknown data set 'minst'
      expected: one of cifar10, mnist
      fix: did you mean 'mnist'?
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, fix: str | None = None):
        known = sorted(set(known))
        near = nearest(name, known)
        super().__init__(
            f"unknown {kind} {name!r}",
            expected=f"one of {', '.join(known)}" if known else f"no {kind} is known here",
            fix=f"did you mean {near!r}?" if near else fix,
        )


class DataError(RungwiseError):
    """Images, labels or files that cannot be used."""

    exit_code = 3


class ArrayError(DataError, ValueError):
    """Arrays of images or labels that cannot be used; scikit-learn's tools expect a ValueError."""


class RunError(RungwiseError):
    """A run folder that is missing, damaged or of another kind."""


class DamagedError(RunError):
    """A file of a run that is missing, cut off or altered."""


class BusyError(RunError):
    """A run that another process is training."""


class StorageError(RungwiseError):
    """A place that cannot be written."""


class Interrupted(RungwiseError):
    """The user stopped the work; what was done is saved."""

    exit_code = 130


class Note(UserWarning):
    """The work goes on, but not as it could: what is slower or left out, and why."""


def _restored(
    kind: type[RungwiseError], problem: str, expected: str | None, fix: str | None
) -> RungwiseError:
    error = kind.__new__(kind)
    RungwiseError.__init__(error, problem, expected=expected, fix=fix)
    return error


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelled most like `name`, whatever its case, or None."""
    by_spelling = {one.lower(): one for one in known}
    matches = get_close_matches(name.lower(), by_spelling, n=1, cutoff=0.5)
    return by_spelling[matches[0]] if matches else None
