"""Folders and tables of image files: listed, decoded once, and kept in the cache."""

from pathlib import Path

from rungwise.data.decoded import remembered
from rungwise.data.images import BadFiles, Dataset
from rungwise.data.sources.layout import looked_at, read_layout
from rungwise.data.sources.listing import Listing
from rungwise.data.sources.pixel_table import holds_pixels
from rungwise.data.sources.survey import Progress, read_listed
from rungwise.data.sources.table import files_of, is_table, read_table


def holds_files(path: Path) -> bool:
    """Tell whether a path is a folder or a table, and so leads to image files."""
    return path.is_dir() or (is_table(path) and path.exists() and not holds_pixels(path))


def list_images(path: Path) -> Listing:
    """List the images of a folder or a table.

    Raises:
        UsageError: The table needs an extra that is not installed.
        DataError: There is nothing to train on.
    """
    return read_layout(path) if path.is_dir() else read_table(path)


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
    table = None if path.is_dir() else read_table(path)

    def read() -> Dataset:
        listing = read_layout(path) if table is None else table
        return read_listed(
            listing, image_size=size, bad_files=bad_files, progress=progress, name=source
        )

    return remembered(
        place.name,
        f"{place} {size}" + (" skip" if bad_files == "skip" else ""),
        looked_at(place) if table is None else files_of(table, place),
        read,
    )
