"""Tables of pixels: a row for each image, with a label and a column for each pixel.

Kaggle gives small images so: `label,pixel0,pixel1,…,pixel783`. The columns may also be called by
their places, `1x1,1x2,…,28x28`, or by numbers alone.
"""

import csv
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from rungwise.data.arrays import dataset_of
from rungwise.data.content import explaining_reads
from rungwise.data.images import CHUNK_BYTES, Dataset
from rungwise.data.names import printable
from rungwise.data.problems import listed
from rungwise.data.sources.csv_rows import named_delimiter, opened, require_no_more
from rungwise.data.sources.listing import PART_NAMES, PARTS
from rungwise.data.sources.table import (
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    PART_COLUMNS,
    TEXT_TABLES,
)
from rungwise.errors import DataError

FEWEST_PIXELS = 4
"""So many columns of pixels make a table one of pixels."""
MOST_HEADER_BYTES = 2**22

_PIXEL = re.compile(r"(?:pixel|pix|px)?[ _-]?(\d{1,9})(?:x(\d{1,9}))?")


@dataclass(frozen=True)
class _Header:
    """The columns of a table: where the pixels, in their order, the label and the part stand."""

    delimiter: str
    columns: int
    pixels: list[int]
    image_shape: tuple[int, int]
    label: int
    part: int | None
    unused: list[str]


def holds_pixels(path: Path) -> bool:
    """Tell whether a file is a table in text with columns of pixels, and none of image files."""
    if path.suffix.lower() not in TEXT_TABLES or not path.is_file():
        return False
    try:
        with opened(path) as file:
            _, names = _columns(file)
    except (OSError, ValueError, csv.Error):  # reading it as a table will tell
        return False
    return len(_pixels(names)) >= FEWEST_PIXELS and not set(names) & set(IMAGE_COLUMNS)


def read_pixel_table(path: Path, name: str | None = None) -> Dataset:
    """Read a data set from a CSV table of pixels.

    Args:
        path: The file: a first line of column names, then a line for each image.
        name: The data set's name; the path by default.

    Raises:
        DataError: There is no column of labels, or a line does not fit the first one.
    """
    with explaining_reads(path), opened(path) as file:
        header = _header(file, path)
        pixels, labels, parts = _gathered(file, header, path)
    arrays = {
        part: (pixels[parts == part], labels[parts == part]) for part in PARTS if part in parts
    }
    if "train" not in arrays:
        raise DataError(
            f"{path} has no row to train on",
            expected="rows of images, and train as their part if there is such a column",
            fix="add rows, or correct the column of parts",
        )
    told = {part: (f"{path}: pixels of {part}", f"{path}: labels of {part}") for part in arrays}
    dataset = dataset_of(arrays, None, str(path), told, image_shape=header.image_shape)
    unused = f"{path}: not used are the columns {listed(map(printable, header.unused))}"
    notes = (*dataset.notes, unused) if header.unused else dataset.notes
    return replace(dataset, name=name or str(path), notes=notes)


def _columns(file: TextIO) -> tuple[str, list[str]]:
    """Return the delimiter and the names of the columns, in lower case."""
    named = named_delimiter(file)
    first = file.readline(MOST_HEADER_BYTES)
    delimiter = named or max(",;\t", key=first.count)
    cells = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
    return delimiter, [cell.strip().casefold() for cell in cells]


def _pixels(names: list[str]) -> dict[int, tuple[int, int]]:
    """Return which columns are pixels, and the numbers in their names."""
    matches = {place: _PIXEL.fullmatch(name) for place, name in enumerate(names)}
    return {place: (int(match[1]), int(match[2] or 0)) for place, match in matches.items() if match}


def _header(file: TextIO, path: Path) -> _Header:
    delimiter, names = _columns(file)
    pixels = _pixels(names)
    labels = [place for place, name in enumerate(names) if name in LABEL_COLUMNS]
    parts = [place for place, name in enumerate(names) if name in PART_COLUMNS]
    if not labels and all(name.replace(".", "", 1).isdecimal() for name in names):
        raise DataError(
            f"{path} has no line of column names: its first line holds numbers alone",
            expected="a first line of column names: label, pixel0, pixel1, …",
            fix="write such a line above the others",
        )
    if len(labels) != 1 or len(parts) > 1 or len(set(pixels.values())) < len(pixels):
        raise DataError(
            f"{path} is a table of pixels with {len(labels)} columns of labels, {len(parts)} of "
            f"parts and {len(set(pixels.values()))} different ones of {len(pixels)} pixels",
            expected="a first line of column names: one label (or class, target), maybe split, and "
            "pixel0, pixel1, …",
            fix="name the columns so; images without labels cannot be trained on",
        )
    order = sorted(pixels, key=lambda place: pixels[place])
    height, width = _sides(set(pixels.values()), path)
    used = {*pixels, *labels, *parts}
    return _Header(
        delimiter,
        len(names),
        order,
        (height, width),
        labels[0],
        parts[0] if parts else None,
        [name for place, name in enumerate(names) if place not in used],
    )


def _sides(numbers: set[tuple[int, int]], path: Path) -> tuple[int, int]:
    """Return height and width of images whose pixels have these numbers: places, or a row's.

    Raises:
        DataError: Numbers are missing, or those in a row make no square.
    """
    axes = [sorted({number[axis] for number in numbers}) for axis in (0, 1)]
    # Pixels are counted from 0 or from 1. Those in a row have 0 as their second number.
    height, width = (range(min(axis[0], 1), axis[-1] + 1) for axis in axes)
    if missing := len(height) * len(width) - len(numbers):
        gaps = (one for one in itertools.product(height, width) if one not in numbers)
        named = [
            "x".join(map(str, gap[: 1 + (len(width) > 1)])) for gap in itertools.islice(gaps, 9)
        ]
        raise DataError(
            f"{path} lacks the columns of {missing} of its pixels: {listed(named, missing)}",
            expected="a column for every pixel, also where it is the same in all images",
            fix="put these columns back, with zeros",
        )
    if len(width) > 1:
        return len(height), len(width)
    side = math.isqrt(len(numbers))
    if side**2 < len(numbers):
        raise DataError(
            f"{path} has {len(numbers)} columns of pixels, which are no square",
            expected="pixels of square grey images, or columns with names of places: 1x1, 1x2, …",
            fix="name the columns so; or load the table yourself, and pass the rows to "
            "rungwise.from_arrays with image_shape",
        )
    return side, side


def _gathered(
    file: TextIO, header: _Header, path: Path
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return pixels (N, F), labels (N,) and names of parts (N,)."""
    gathered: list[NDArray[Any]] = []
    labels: list[str] = []
    parts: list[str] = []
    for first, lines in _chunks(file, len(header.pixels)):
        place = f"{path}: among lines {first} to {first + len(lines) - 1}"
        try:
            gathered.append(_numbers(lines, header))
            for cells in csv.reader(lines, delimiter=header.delimiter, strict=True):
                require_no_more(cells, header.columns, f"{place}: one")
                labels.append(printable(cells[header.label].strip()))
                parts.append("train" if header.part is None else _part(cells[header.part]))
        except (ValueError, IndexError, csv.Error) as error:
            raise DataError(
                f"{place}: {error}",
                expected="a label and a number for every pixel in each line",
                fix="correct or remove the line",
            ) from error
    pixels = np.concatenate(gathered) if gathered else np.empty((0, len(header.pixels)))
    return pixels, np.array(labels), np.array(parts)


def _chunks(file: TextIO, pixels: int) -> Iterator[tuple[int, list[str]]]:
    """Yield some lines at a time, with the number of the first of them in the file."""
    most, first = max(1, CHUNK_BYTES // (8 * pixels)), 2
    while lines := list(itertools.islice(file, most)):
        yield first, [line for line in lines if line.strip()]
        first += len(lines)


def _numbers(lines: list[str], header: _Header) -> NDArray[Any]:
    """Return the pixels of some lines: uint8 if all are bytes, which they mostly are."""
    if not lines:
        return np.empty((0, len(header.pixels)), np.uint8)
    values = np.loadtxt(
        lines,
        np.float32,
        comments=None,
        delimiter=header.delimiter,
        usecols=header.pixels,
        ndmin=2,
        quotechar='"',
    )
    within = bool(((values >= 0) & (values <= 255)).all())
    return values.astype(np.uint8) if within and bool((values % 1 == 0).all()) else values


def _part(name: str) -> str:
    part = PART_NAMES.get(name.strip().casefold())
    if part is None:
        raise ValueError(f"{printable(name)!r} is no part: train, validation or test")
    return part
