"""Tables of images: a row for each, with its file or its content, its label and, maybe, its part.

`csv_rows` and `parquet_rows` read the rows of their formats; here they become a listing. Paths are
relative to the table's folder; one that is spelled in another way than its file is found all the
same if exactly one file fits. Classes are those of the training rows, in natural order. Rows are in
the order of the table.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rungwise.data.labels import look_alike_classes
from rungwise.data.names import FileNames, class_name, natural_key, printable, stored
from rungwise.data.problems import Problem, listed
from rungwise.data.sources.finding import Finder
from rungwise.data.sources.listing import (
    PART_NAMES,
    PARTS,
    ListedImages,
    Listing,
    Tally,
    empty_classes,
    files_under,
    single_class,
    unknown_classes,
)
from rungwise.errors import DataError

TEXT_TABLES = (".csv", ".tsv", ".txt")
TABLES = (*TEXT_TABLES, ".parquet")
"""The suffixes of tables."""

IMAGE_COLUMNS = ("path", "file", "filename", "file_name", "image", "img")
LABEL_COLUMNS = ("label", "class", "target")
PART_COLUMNS = ("split", "part")


class Row(NamedTuple):
    """One image of a table.

    Args:
        place: What messages call the row.
        name: Its file, or what it is called.
        label: The name of its class; empty where there is none.
        part: What the table calls its part; None where there is no such column.
    """

    place: str
    name: str
    label: str
    part: str | None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a format's reader found in a table.

    Args:
        rows: All rows, in order.
        class_names: The classes, where the table itself tells them.
        contents: Yields what the images at some rows hold; None where names are files.
    """

    rows: Iterable[Row]
    class_names: tuple[str, ...] | None = None
    contents: Callable[[NDArray[np.int64]], Iterator[Path | bytes]] | None = None


class Columns(NamedTuple):
    """The columns of a table that count, as it spells them."""

    image: str
    label: str
    part: str | None


@dataclass
class _Part:
    names: bytearray = field(default_factory=bytearray)
    classes: "array[int]" = field(default_factory=lambda: array("q"))
    rows: "array[int]" = field(default_factory=lambda: array("q"))


def is_table(path: Path) -> bool:
    """Tell by its suffix whether a file is a table of images."""
    return path.suffix.lower() in TABLES


def read_table(path: Path) -> Listing:
    """List the images of a table.

    Raises:
        DataError: The file cannot be read, a column is missing or ambiguous, or there is no row
            to train on.
    """
    if path.suffix.lower() in TEXT_TABLES:
        from rungwise.data.sources.csv_rows import read_csv as read
    else:
        from rungwise.data.sources.parquet_rows import read_parquet as read
    return gathered(path, path.parent, read(path))


def gathered(source: Path, folder: Path, table: Rows) -> Listing:
    """Make a listing of a table's rows.

    Args:
        source: The table.
        folder: What the names of files are relative to.
        table: Its rows.

    Raises:
        DataError: There is no row to train on.
    """
    return _Gathering(source, folder).listing(table)


def files_of(listing: Listing, folder: Path) -> Iterator[str]:
    """Yield all image files that a listed table names; it lies in `folder`."""
    for images in listing.parts.values():
        yield from (os.path.join(folder, name) for name in images.names.all_raw())  # noqa: PTH118


def find_columns(path: Path, found: Iterable[str]) -> Columns:
    """Find the columns that count, in any case.

    Raises:
        DataError: One that is needed is missing, or there are several that it could be.
    """
    found = list(found)
    image = _column(path, found, IMAGE_COLUMNS, "the images")
    label = _column(path, found, LABEL_COLUMNS, "the labels")
    if image is None or label is None:
        wanted = IMAGE_COLUMNS if image is None else LABEL_COLUMNS
        raise DataError(
            f"{path} has no column of {'images' if image is None else 'labels'}; its columns are "
            f"{listed(map(printable, found)) or 'none'}",
            expected=f"a first line of column names, with one of {', '.join(wanted)}",
            fix="name the columns so",
        )
    return Columns(image, label, _column(path, found, PART_COLUMNS, "the parts"))


def columns_known(found: Iterable[str]) -> int:
    """Return how many names are those of columns that count."""
    known = {*IMAGE_COLUMNS, *LABEL_COLUMNS, *PART_COLUMNS}
    return sum(name.strip().casefold() in known for name in found)


def _column(path: Path, found: list[str], names: tuple[str, ...], what: str) -> str | None:
    fitting = [name for name in found if name.strip().casefold() in names]
    if len(fitting) > 1:
        raise DataError(
            f"{path} has several columns that could be {what}: {', '.join(fitting)}",
            expected=f"one of {', '.join(names)}",
            fix="rename or remove the others",
        )
    return fitting[0] if fitting else None


class _Gathering:
    """Sorts the rows of a table into parts, and collects what is odd on the way."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path, self._folder = path, folder
        self._finder = Finder(folder)
        self._codes: dict[str, int] = {}
        self._parts = {part: _Part() for part in PARTS}
        self._incomplete, self._strange = Tally(), Tally()

    def listing(self, table: Rows) -> Listing:
        """Return the listing of a table."""
        are_files = table.contents is None
        for index, row in enumerate(table.rows):
            self._add(index, row._replace(name=self._finder.find(row.name)) if are_files else row)
        if not self._parts["train"].rows:
            raise DataError(
                f"{self._path} has no row to train on",
                expected="rows with an image and a label, and train as their part if there is one",
                fix="add rows, or correct the column of parts",
            )
        names = tuple(map(class_name, table.class_names or ())) or self._class_names()
        parts: dict[str, ListedImages] = {}
        problems = list(self._row_problems())
        for part, rows in self._parts.items():
            if rows.rows:
                parts[part] = self._images(rows, names, table)
                problems += self._class_problems(part, rows, names)
        problems += look_alike_classes(self._path, names)
        if self._finder.respelled.count:
            problems.append(self._finder.problem(self._path))
        if len(names) < 2:
            problems.append(single_class(self._path, names[0]))
        return Listing(self._path, names, parts, problems)

    def _add(self, index: int, row: Row) -> None:
        part = "train" if row.part is None else PART_NAMES.get(row.part.strip().casefold())
        label = class_name(row.label.strip())
        if not row.name.strip() or not label:
            self._incomplete.add(row.place)
        elif part is None:
            self._strange.add(f"{row.place}: {printable(row.part or '')!r}")
        else:
            rows = self._parts[part]
            rows.names += stored(row.name)
            rows.classes.append(self._codes.setdefault(label, len(self._codes)))
            rows.rows.append(index)

    def _class_names(self) -> tuple[str, ...]:
        labels = list(self._codes)
        return tuple(
            sorted((labels[i] for i in set(self._parts["train"].classes)), key=natural_key)
        )

    def _images(self, rows: _Part, names: tuple[str, ...], table: Rows) -> ListedImages:
        """Return the images of the classes that training knows."""
        number = {name: label for label, name in enumerate(names)}
        of_code = np.array([number.get(name, -1) for name in self._codes])
        labels = of_code[np.array(rows.classes)]
        known = labels >= 0
        files = FileNames(np.frombuffer(bytes(rows.names), np.uint8)).kept(known)
        where, contents = np.array(rows.rows)[known], table.contents
        return ListedImages(
            files,
            labels[known],
            files_under(self._folder, files) if contents is None else lambda: contents(where),
        )

    def _row_problems(self) -> Iterator[Problem]:
        told = (
            ("incomplete_row", self._incomplete, "have no image or no label", "both in every row"),
            (
                "unknown_part",
                self._strange,
                "are of an unknown part",
                "train, validation or test",
            ),
        )
        for kind, tally, what, expected in told:
            if tally.count:
                yield Problem(
                    severity="error",
                    kind=kind,
                    problem=f"{tally.count} rows of {self._path} {what}: {tally.told()}",
                    expected=expected,
                    fix="correct or remove these rows",
                    count=tally.count,
                    examples=tuple(tally.examples),
                )

    def _class_problems(self, part: str, rows: _Part, names: tuple[str, ...]) -> Iterator[Problem]:
        place = f"the {part} part of {self._path}"
        labels = list(self._codes)
        used = {labels[code] for code in set(rows.classes)}
        if unknown := sorted(used - set(names), key=natural_key):
            yield unknown_classes(place, unknown, names)
        if empty := [name for name in names if name not in used]:
            yield empty_classes(place, part, empty, "an image")
