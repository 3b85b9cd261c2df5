"""The rows of a CSV file: a line of column names, then a line for each image.

Source: RFC 4180; also with semicolons or tabs, in UTF-16, or with `sep=;` above, as spreadsheets
write it.
"""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rungwise.data.content import explaining_reads
from rungwise.data.sources.table import Row, Rows, columns_known, find_columns
from rungwise.errors import DataError

_DELIMITERS = ",;\t"


def read_csv(path: Path) -> Rows:
    """Return the rows of a CSV file in UTF-8, or in UTF-16 with a byte-order mark.

    Raises:
        DataError: The file cannot be read, is no such text, or lacks a column.
    """
    return Rows(rows=_rows(path))


def encoding_of(head: bytes) -> str:
    r"""Return the encoding of a text by its byte-order mark; without one it is UTF-8.

    >>> encoding_of(b"\xff\xfep\0"), encoding_of(b"path")
    ('utf-16', 'utf-8-sig')
    """
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _rows(path: Path) -> Iterator[Row]:
    try:
        with explaining_reads(path), opened(path) as file:
            reader = csv.reader(
                file, delimiter=_delimiter(file), skipinitialspace=True, strict=True
            )
            header = next(reader, [])
            columns = find_columns(path, header)
            image, label = header.index(columns.image), header.index(columns.label)
            part = None if columns.part is None else header.index(columns.part)
            for cells in filter(None, reader):
                require_no_more(cells, len(header), f"line {reader.line_num} of {path}")
                cells += [""] * (len(header) - len(cells))
                yield Row(
                    f"line {reader.line_num}",
                    cells[image],
                    cells[label],
                    None if part is None else cells[part],
                )
    except (csv.Error, UnicodeError) as error:
        raise DataError(
            f"{path} cannot be read as CSV: {error}",
            expected="text in UTF-8, a line of column names and a line for each image",
            fix="save it anew as CSV in UTF-8",
        ) from error


def opened(path: Path) -> TextIO:
    """Open a table in text, in the encoding that its first bytes tell."""
    with path.open("rb") as file:
        encoding = encoding_of(file.read(2))
    return path.open(encoding=encoding, newline="")


def named_delimiter(file: TextIO) -> str | None:
    """Return what a first line such as `sep=;` names, and leave the file after that line.

    Without such a line it is None, and the file is left at its beginning.
    """
    first, start = file.readline(len("sep=;\r\n")), file.tell()
    if first.startswith("sep=") and len(first.strip()) <= len("sep=;"):
        file.seek(start)
        return first[len("sep=") : len("sep=;")].strip("\r\n") or "\t"
    file.seek(0)
    return None


def require_no_more(cells: list[str], columns: int, place: str) -> None:
    """Refuse a line with more cells than there are columns, unless these are empty.

    Raises:
        DataError: It has more; a comma within a name makes two cells of one.
    """
    if any(cell.strip() for cell in cells[columns:]):
        raise DataError(
            f"{place} has {len(cells)} cells, and the table {columns} columns",
            expected="a cell for each column",
            fix='write a text with a comma in quotation marks: "dress, red"',
        )


def _delimiter(file: TextIO) -> str:
    """Return what separates cells, and leave the file at the line of column names."""
    if named := named_delimiter(file):
        return named
    first = file.readline()
    file.seek(0)

    def known(delimiter: str) -> tuple[int, int]:
        # A line may be cut within quotes, so it is not read strictly.
        names = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        return columns_known(names), first.count(delimiter)

    return max(_DELIMITERS, key=known)
