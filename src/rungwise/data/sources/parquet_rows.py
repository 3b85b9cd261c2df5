"""The rows of a Parquet file, whose images are files, or lie in it as the files' content.

Source: https://parquet.apache.org/docs/file-format; a structure of `bytes` and `path` is how
Hugging Face's `datasets` stores images, and its metadata may name the classes.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rungwise.data.content import explaining_reads
from rungwise.data.names import printable
from rungwise.data.sources.table import Columns, Row, Rows, find_columns
from rungwise.errors import DataError, UsageError
from rungwise.extras import require_extra
from rungwise.json_text import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 256


def read_parquet(path: Path) -> Rows:
    """Return the rows of a Parquet file.

    Raises:
        UsageError: The extra `table` is not installed.
        DataError: The file cannot be read, or a column is missing or of a type that cannot be used.
    """
    with _explaining(path):
        table = _opened(path)
        schema = table.schema_arrow
    columns = find_columns(path, schema.names)
    kind = _kind(path, columns, schema)
    _require_labels(path, columns, schema)
    names = _class_names(schema, columns.label)
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
    with _explaining(path):
        return int(_opened(path).metadata.num_rows)


def _opened(path: Path) -> Any:
    require_extra("table", ("pyarrow",), f"reading {path}")
    import pyarrow.parquet as parquet

    return parquet.ParquetFile(path)


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Turn the errors of reading a Parquet file into ours."""
    try:
        with explaining_reads(path):
            yield
    except ValueError as error:  # pyarrow's errors of content are of this type, too; ours are not
        if isinstance(error, UsageError):
            raise
        raise DataError(
            f"{path} cannot be read as Parquet: {error}",
            expected="a whole Parquet file",
            fix="write it anew, or copy it again",
        ) from error


def _kind(path: Path, columns: Columns, schema: "pa.Schema") -> str:
    """Tell how images are stored: `file` (a path), `content`, or `both` in a structure."""
    import pyarrow as pa

    stored = schema.field(columns.image).type
    if _is_text(stored):
        return "file"
    if pa.types.is_binary(stored) or pa.types.is_large_binary(stored):
        return "content"
    if pa.types.is_struct(stored) and {"bytes", "path"} <= {field.name for field in stored}:
        return "both"
    raise DataError(
        f"{path}: the column {columns.image} holds {stored}",
        expected="paths (string), image files (binary), or both (struct of bytes and path)",
        fix="store each image as the content of a PNG file",
    )


def _require_labels(path: Path, columns: Columns, schema: "pa.Schema") -> None:
    import pyarrow as pa

    for column in filter(None, (columns.label, columns.part)):
        stored = schema.field(column).type
        if not _is_text(stored) and not (column == columns.label and pa.types.is_integer(stored)):
            raise DataError(
                f"{path}: the column {column} holds {stored}",
                expected="text, or whole numbers as labels",
                fix="convert the column",
            )


def _is_text(stored: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))


def _class_names(schema: "pa.Schema", label: str) -> tuple[str, ...] | None:
    """Return the classes that Hugging Face's metadata name, if there are any."""
    metadata = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        names = parse_json(metadata)["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError):
        return None
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(map(printable, names)) if named and len(set(names)) == len(names) else None


def _batches(path: Path, columns: list[str], size: int) -> Iterator[dict[str, list[Any]]]:
    with _explaining(path):
        for batch in _opened(path).iter_batches(size, columns=columns):
            yield batch.to_pydict()


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
