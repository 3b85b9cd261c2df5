"""Folders and tables of image files: listed, decoded once, and kept in the cache."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rungwise.data.decoded import remembered
from rungwise.data.images import BadFiles, Dataset
from rungwise.data.sources.layout import looked_at, read_layout
from rungwise.data.sources.listing import Listing
from rungwise.data.sources.pixel_table import holds_pixels
from rungwise.data.sources.shards import read_shards, shards_in
from rungwise.data.sources.survey import Progress, read_listed
from rungwise.data.sources.table import files_of, is_table, read_table


def holds_files(path: Path) -> bool:
    """Tell whether a path is a folder or a table, and so leads to image files."""
    return path.is_dir() or (is_table(path) and path.exists() and not holds_pixels(path))


def list_images(path: Path) -> Listing:
    """List the images of a folder or a table, which may be a folder of Parquet files.

    Raises:
        UsageError: The table needs an extra that is not installed.
        DataError: There is nothing to train on.
    """
    if not path.is_dir():
        return read_table(path)
    shards = shards_in(path)
    return read_shards(path, shards) if shards else read_layout(path)


def load_files(
    source: str,
    path: Path,
    size: tuple[int, int] | None,
    bad_files: BadFiles,
    progress: Progress | None,
) -> Dataset:
    """Return the images of a folder or a table, from the cache while no file has changed.

    Args:
        source: The data set's name.
        path: The folder or the table.
        size: (height, width) that every image is resized to.
        bad_files: As for `read_listed`.
        progress: As for `read_listed`.

    Raises:
        UsageError, DataError, StorageError: As `list_images` and `read_listed`.
    """
    place = path.resolve()
    shards = shards_in(place) if path.is_dir() else []
    table = None if path.is_dir() and not shards else list_images(path)

    def read() -> Dataset:
        listing = read_layout(path) if table is None else table
        return read_listed(
            listing, image_size=size, bad_files=bad_files, progress=progress, name=source
        )

    def files() -> Iterator[str]:
        if table is None:
            return looked_at(place)
        tables = map(str, shards or [place])
        return chain(tables, files_of(table, place if shards else place.parent))

    return remembered(
        place.name,
        f"{place} {size}" + (" skip" if bad_files == "skip" else ""),
        files(),
        read,
    )
