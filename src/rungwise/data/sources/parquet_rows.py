"""The rows of a Parquet file, whose images are files, or lie in it as the files' content.

Source: https://parquet.apache.org/docs/file-format; a structure of `bytes` and `path` is how
Hugging Face's `datasets` stores images, and its metadata may name the classes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rungwise.data.content import explaining_reads
from rungwise.data.names import printable
from rungwise.data.sources import parquet_pages
from rungwise.data.sources.parquet_pages import Column, Description
from rungwise.data.sources.table import Columns, Row, Rows, find_columns
from rungwise.data.sources.workers import Worker
from rungwise.errors import DataError
from rungwise.extras import require_extra
from rungwise.json_text import parse_json

_ROWS_AT_ONCE = 256


def read_parquet(path: Path) -> Rows:
    """Return the rows of a Parquet file.

    Raises:
        UsageError: The extra `table` is not installed.
        DataError: The file cannot be read, or a column is missing or of a type that cannot be used.
    """
    footer = _footer(path)
    columns = find_columns(path, list(footer.columns))
    kind = _image_kind(path, columns.image, footer.columns[columns.image])
    _require_labels(path, columns, footer)
    names = _class_names(footer, columns.label)
    return Rows(
        rows=_rows(path, columns, kind, names),
        class_names=names,
        contents=None if kind == "file" else _contents(path, columns.image, kind),
    )


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file.

    Raises:
        UsageError, DataError: As `read_parquet`.
    """
    return _footer(path).rows


def _footer(path: Path) -> Description:
    require_extra("table", ("pyarrow",), f"reading {path}")
    with explaining_reads(path), path.open("rb"), Worker(parquet_pages.MEMORY_BYTES) as worker:
        worker.call(parquet_pages.describe, path)
        footer: Description = _require_read(path, worker.answer())
    return footer


def _require_read(path: Path, answer: Any) -> Any:
    """Return what the reading process answers.

    Raises:
        DataError: It says why it cannot read the file, or has ended over it.
    """
    if answer is not None and not isinstance(answer, str):
        return answer
    raise DataError(
        f"{path} cannot be read as Parquet: {answer or 'its content ends the reader'}",
        expected="a whole Parquet file",
        fix="write it anew, or copy it again",
    )


def _image_kind(path: Path, name: str, column: Column) -> str:
    """Tell how images are stored: `file` (a path), `content`, or `both` in a structure."""
    kinds = {"text": "file", "binary": "content", "bytes and path": "both"}
    if column.kind not in kinds:
        raise DataError(
            f"{path}: the column {name} holds {column.type}",
            expected="paths (string), image files (binary), or both (struct of bytes and path)",
            fix="store each image as the content of a PNG file",
        )
    return kinds[column.kind]


def _require_labels(path: Path, columns: Columns, footer: Description) -> None:
    for name in filter(None, (columns.label, columns.part)):
        kind, stored = footer.columns[name]
        if kind != "text" and (name != columns.label or kind != "integer"):
            raise DataError(
                f"{path}: the column {name} holds {stored}",
                expected="text, or whole numbers as labels",
                fix="convert the column",
            )


def _class_names(footer: Description, label: str) -> tuple[str, ...] | None:
    """Return the classes that Hugging Face's metadata name, if there are any."""
    try:
        names = parse_json(footer.metadata)["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError):
        return None
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(map(printable, names)) if named and len(set(names)) == len(names) else None


def _batches(path: Path, columns: list[str], size: int) -> Iterator[dict[str, list[Any]]]:
    with Worker(parquet_pages.MEMORY_BYTES) as worker:
        for batch in worker.stream(parquet_pages.batches, path, columns, size):
            yield _require_read(path, batch)


def _rows(path: Path, columns: Columns, kind: str, names: tuple[str, ...] | None) -> Iterator[Row]:
    # Of images that lie in the table, only what they are called is read.
    image = {"file": [columns.image], "content": [], "both": [f"{columns.image}.path"]}[kind]
    wanted = [*image, columns.label, *([columns.part] if columns.part else [])]
    index = 0
    for batch in _batches(path, wanted, 64 * _ROWS_AT_ONCE):
        labels = batch[columns.label]
        images = batch.get(columns.image, [None] * len(labels))
        parts = batch[columns.part] if columns.part else [None] * len(labels)
        for stored, label, part in zip(images, labels, parts, strict=True):
            name = stored["path"] if isinstance(stored, dict) else stored
            yield Row(
                f"row {index}",
                name or ("" if kind == "file" else f"{path.name}[{index}]"),
                _label(label, names),
                (part or "") if columns.part else None,
            )
            index += 1


def _label(label: str | int | None, names: tuple[str, ...] | None) -> str:
    if isinstance(label, int) and names is not None:
        return names[label] if 0 <= label < len(names) else ""
    return "" if label is None else str(label)


def _contents(
    path: Path, column: str, kind: str
) -> Callable[[NDArray[np.int64]], Iterator[Path | bytes]]:
    """Return what reads the images of some rows, a few at a time."""

    def read(rows: NDArray[np.int64]) -> Iterator[Path | bytes]:
        first, position = 0, 0
        for batch in _batches(path, [column], _ROWS_AT_ONCE):
            images = batch[column]
            while position < len(rows) and rows[position] < first + len(images):
                yield _content(images[rows[position] - first], path.parent, kind)
                position += 1
            first += len(images)

    return read


def _content(stored: Any, folder: Path, kind: str) -> Path | bytes:
    content, name = stored, None
    if kind == "both":
        content, name = (stored or {}).get("bytes"), (stored or {}).get("path")
    return folder / str(name) if content is None and name else bytes(content or b"")
