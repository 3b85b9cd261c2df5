"""A folder of Parquet files that together are one table, as Hugging Face's hub stores data sets.

    data/train-00000-of-00002.parquet, data/train-00001-of-00002.parquet, data/test-….parquet

The part is told by the file's name, or by that of its folder.
"""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rungwise.data.problems import EXAMPLES, listed
from rungwise.data.sources.layout import pictures_below
from rungwise.data.sources.listing import PART_NAMES, Listing
from rungwise.data.sources.parquet_rows import count_rows, read_parquet
from rungwise.data.sources.table import Row, Rows, gathered
from rungwise.errors import DataError

_MOST_LEVELS = 3
_ONE_OF_MANY = re.compile(r"(?P<name>.*?)(?P<number>\d{1,9})-of-(?P<of>\d{1,9})")


def shards_in(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder and its sub-folders, unless it holds images, too."""
    found = sorted(_parquet_files(folder, _MOST_LEVELS))
    holds_images = found and any(isinstance(one, Path) for one in pictures_below(folder))
    return [] if holds_images else found


def read_shards(folder: Path, shards: list[Path]) -> Listing:
    """List the images of Parquet files in a folder.

    Raises:
        UsageError: The extra `table` is not installed.
        DataError: A file cannot be read, they do not fit together, or there is nothing to train on.
    """
    _require_complete(shards)
    tables = [read_parquet(shard) for shard in shards]
    _require_alike(shards, tables)
    names_files = tables[0].contents is None
    rows = Rows(
        rows=_rows(folder, shards, tables, names_files=names_files),
        class_names=tables[0].class_names,
        contents=None if names_files else _Contents(shards, tables),
    )
    return gathered(folder, folder, rows)


class _Contents:
    """Yields what the images at some rows hold, where rows are counted over all files."""

    def __init__(self, shards: list[Path], tables: list[Rows]) -> None:
        self._shards, self._tables = shards, tables

    def __call__(self, rows: NDArray[np.int64]) -> Iterator[Path | bytes]:
        first = 0
        for shard, table in zip(self._shards, self._tables, strict=True):
            stop = first + count_rows(shard)
            low, high = np.searchsorted(rows, (first, stop))
            if table.contents and low < high:
                yield from table.contents(rows[low:high] - first)
            first = stop


def _rows(
    folder: Path, shards: list[Path], tables: list[Rows], *, names_files: bool
) -> Iterator[Row]:
    parts = _parts(folder, shards)
    for shard, table, part in zip(shards, tables, parts, strict=True):
        place = os.path.relpath(shard.parent, folder)
        for row in table.rows:
            yield row._replace(
                place=f"{row.place} of {shard.name}",
                name=os.path.normpath(os.path.join(place, row.name)) if names_files else row.name,  # noqa: PTH118
                part=part if row.part is None else row.part,
            )


def _parts(folder: Path, shards: list[Path]) -> list[str | None]:
    """Return what the files' names say of the part; all None if no name says anything."""
    told = [_part(shard.relative_to(folder)) for shard in shards]
    if not any(told):
        return [None] * len(shards)
    return [part or shard.name for part, shard in zip(told, shards, strict=True)]


def _part(shard: Path) -> str | None:
    pieces = (shard.stem, *reversed(shard.parent.parts))
    words = (word for piece in pieces for word in re.findall("[a-z]+", piece.casefold()))
    return next((word for word in words if word in PART_NAMES), None)


def _parquet_files(folder: Path, levels: int) -> Iterator[Path]:
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:  # listing its images will say what is wrong
        return
    for entry in entries:
        if entry.name.lower().endswith(".parquet"):
            if os.path.isfile(entry.path):  # noqa: PTH113
                yield Path(entry.path)
        elif levels > 1 and (entry.is_symlink() or entry.is_dir()):
            yield from _parquet_files(Path(entry.path), levels - 1)


def _require_complete(shards: list[Path]) -> None:
    """Refuse some of several files, where their names tell of how many each is one."""
    found: dict[tuple[Path, str, int], set[int]] = {}
    for shard in shards:
        if match := _ONE_OF_MANY.fullmatch(shard.stem):
            number, of = int(match["number"]), int(match["of"])
            found.setdefault((shard.parent, match["name"], of), set()).add(number)
    for (place, name, of), numbers in found.items():
        if len(numbers) < of:
            missing = (f"{name}{n:05}-of-{of:05}.parquet" for n in range(of) if n not in numbers)
            told = listed(itertools.islice(missing, EXAMPLES), of - len(numbers))
            raise DataError(
                f"{place} lacks {of - len(numbers)} of {of} files: {told}",
                expected="all files of a part",
                fix="download the others, or rename the files if these are all",
            )


def _require_alike(shards: list[Path], tables: list[Rows]) -> None:
    for shard, table in zip(shards, tables, strict=True):
        same_kind = (table.contents is None) == (tables[0].contents is None)
        if not same_kind or table.class_names != tables[0].class_names:
            raise DataError(
                f"{shard} has other classes, or stores images in another way, than {shards[0]}",
                expected="Parquet files that are parts of one table",
                fix="pass one of the files, or a folder with those that belong together",
            )
