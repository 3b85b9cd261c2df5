"""Images by part and class before any is opened: what folders and tables have in common."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rungwise.data.names import FileNames
from rungwise.data.problems import EXAMPLES, Problem, listed

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""What the parts may be called, in any case."""

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class ListedImages:
    """The images of one part.

    Args:
        names: Their files relative to the listing's root, or other names.
        labels: (N,) int64, each an index into the listing's class names.
        contents: Yields the file, or what a file holds, of each image in order.
    """

    names: FileNames
    labels: NDArray[np.int64]
    contents: Callable[[], Iterator[Path | bytes]]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Listing:
    """Images by part, and what is odd about them.

    Args:
        source: The folder or the table.
        class_names: The classes of the training part.
        parts: The images by part, `train` first.
        problems: What is wrong although no image was opened.
    """

    source: Path
    class_names: tuple[str, ...]
    parts: dict[str, ListedImages]
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))


class Tally:
    """Counts places and remembers the first few.

    Args:
        most: How many are remembered.
    """

    def __init__(self, most: int = EXAMPLES) -> None:
        self._most = most
        self.count = 0
        self.examples: list[str] = []

    def add(self, name: str) -> None:
        """Count a place."""
        self.count += 1
        if len(self.examples) < self._most:
            self.examples.append(name)

    def told(self) -> str:
        """Name the first few places and count the rest."""
        return listed(self.examples, self.count)


def files_under(root: Path, names: FileNames) -> Callable[[], Iterator[Path]]:
    """Return what yields the files of these names, relative to a folder."""
    return lambda: (root / name for name in names.all_raw())


def unknown_classes(place: str, unknown: list[str], class_names: tuple[str, ...]) -> Problem:
    """Return the problem that a part has classes which training does not know."""
    return Problem(
        severity="error",
        kind="unknown_class",
        problem=f"{place} has {len(unknown)} classes that are not in train: {listed(unknown)}",
        expected="only classes that the training part has",
        fix=f"rename them, remove them, or add their images to train: {listed(class_names)}",
        count=len(unknown),
        examples=tuple(unknown[:EXAMPLES]),
    )


def empty_classes(place: str, part: str, empty: list[str], why: str) -> Problem:
    """Return the problem that a part lacks images of some classes.

    Args:
        place: What messages call the part.
        part: `train`, where it is an error, or another, where it can be lived with.
        empty: Names of the classes.
        why: What makes them empty: `an image`, or `an image that can be read`.
    """
    return Problem(
        severity="error" if part == "train" else "warning",
        kind="empty_class",
        problem=f"{place} has {len(empty)} classes without {why}: {listed(empty)}",
        expected="at least one image of each class",
        fix="add images, or remove these classes"
        if part == "train"
        else "add images; until then these classes are not measured here",
        count=len(empty),
        examples=tuple(empty[:EXAMPLES]),
    )


def single_class(source: Path, class_name: str) -> Problem:
    """Return the problem that there is nothing to tell apart."""
    return Problem(
        severity="error",
        kind="single_class",
        problem=f"{source} has only one class: {class_name}",
        expected="at least two classes",
        fix="add images of a second class; of a folder, pass the one whose sub-folders are the "
        "classes",
    )
