"""Parquet read in a process of its own, whose memory is limited.

A page of a few bytes may unpack to gigabytes, and a value that is stored once may stand in a
thousand rows. What the file's footer claims is checked; what it lies about ends this process, and
not that of the user. Imports nothing that is large but pyarrow.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_BYTES = 2**30
LARGEST_UNPACKED = 2**30
LARGEST_RATIO = 100
MOST_COLUMNS = 10_000
BATCH_BYTES = 2**24

Kind = Literal["text", "binary", "integer", "bytes and path"]


class Column(NamedTuple):
    """A column: what it can be used as, if anything, and the name of its type."""

    kind: Kind | None
    type: str


class Description(NamedTuple):
    """What a Parquet file's footer says.

    Args:
        columns: All columns by name.
        rows: How many there are.
        metadata: What Hugging Face's `datasets` has written about them.
    """

    columns: dict[str, Column]
    rows: int
    metadata: bytes


def describe(path: Path) -> Description | str:
    """Return what the footer of a file says, or why it cannot be read."""
    try:
        file = _opened(path)
        _require_moderate(path, file.metadata)
        schema = file.schema_arrow
        return Description(
            {field.name: Column(_kind(field.type), str(field.type)[:100]) for field in schema},
            int(file.metadata.num_rows),
            (schema.metadata or {}).get(b"huggingface", b"{}"),
        )
    except Exception as error:  # pyarrow raises every kind of error on damaged files
        return _told(error)


def batches(path: Path, columns: list[str], most: int) -> Iterator[dict[str, list[Any]] | str]:
    """Yield the rows of some columns, at most so many at a time; at last maybe why no more come."""
    try:
        file = _opened(path)
        size = max(1, min(most, BATCH_BYTES // _bytes_of_a_row(file.metadata, columns)))
        for batch in file.iter_batches(size, columns=columns, use_threads=False):
            yield batch.to_pydict()
    except Exception as error:
        yield _told(error)


def _opened(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    pa.set_memory_pool(pa.system_memory_pool())  # the others take memory ahead
    return parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20)


def _require_moderate(path: Path, footer: Any) -> None:
    """Refuse what is stored so often, or unpacks to so much, that no images can be behind it."""
    packed = path.stat().st_size
    groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if unpacked > max(LARGEST_UNPACKED, LARGEST_RATIO * packed):
        raise ValueError(f"its {packed:,} bytes unpack to {unpacked:,}")
    if footer.num_rows > packed:
        raise ValueError(f"its {packed:,} bytes claim {footer.num_rows:,} rows")
    if footer.num_columns > MOST_COLUMNS:
        raise ValueError(f"it has {footer.num_columns:,} columns")


def _bytes_of_a_row(footer: Any, columns: list[str]) -> int:
    """Return about how many bytes a row of some columns takes."""
    size = 1
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        chunks = (group.column(place) for place in range(group.num_columns))
        wanted = sum(
            chunk.total_uncompressed_size
            for chunk in chunks
            if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns)
        )
        size = max(size, wanted // max(1, group.num_rows))
    return int(size)


def _kind(stored: "pa.DataType") -> Kind | None:
    import pyarrow as pa

    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    if pa.types.is_string(stored) or pa.types.is_large_string(stored):
        return "text"
    if pa.types.is_binary(stored) or pa.types.is_large_binary(stored):
        return "binary"
    if pa.types.is_integer(stored):
        return "integer"
    if pa.types.is_struct(stored) and {"bytes", "path"} <= {field.name for field in stored}:
        return "bytes and path"
    return None


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"it needs more than {MEMORY_BYTES / 1e9:.0f} GB of memory"
    return str(error)[:300] or type(error).__name__
