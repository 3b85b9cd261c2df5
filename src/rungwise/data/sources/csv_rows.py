"""The rows of a CSV file: a line of column names, then a line for each image.

Source: RFC 4180; also with semicolons or tabs, as spreadsheets of some languages write it.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from rungwise.data.content import explaining_reads
from rungwise.data.sources.table import Row, Rows, find_columns
from rungwise.errors import DataError

_DELIMITERS = ",;\t"


def read_csv(path: Path) -> Rows:
    """Return the rows of a CSV file in UTF-8.

    Raises:
        DataError: The file cannot be read, is no such text, or lacks a column.
    """
    return Rows(rows=_rows(path))


def _rows(path: Path) -> Iterator[Row]:
    try:
        with explaining_reads(path), path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(_DELIMITERS, key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
            header = next(reader, [])
            columns = find_columns(path, header)
            image, label = header.index(columns.image), header.index(columns.label)
            part = None if columns.part is None else header.index(columns.part)
            for cells in filter(None, reader):
                cells += [""] * (len(header) - len(cells))
                yield Row(
                    f"line {reader.line_num}",
                    cells[image],
                    cells[label],
                    None if part is None else cells[part],
                )
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as CSV: {error}",
            expected="text in UTF-8, a line of column names and a line for each image",
            fix="save it anew as CSV in UTF-8",
        ) from error
