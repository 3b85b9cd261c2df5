"""NumPy archives: `x_train, y_train, x_test, y_test`, or `images, labels`."""

import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from rungwise.data.arrays import Array, dataset_of
from rungwise.data.decoded import mapped, scratch_folder
from rungwise.data.images import Dataset
from rungwise.data.problems import listed
from rungwise.errors import DataError
from rungwise.storage import explaining_storage

LARGE_BYTES = 2**24
"""Size of an array from which on it is unpacked to a file, not into memory."""

_PARTS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}
_OPTIONAL = {"validation": ("x_val", "y_val")}
_EXPECTED = "arrays x_train, y_train, x_test, y_test, or images, labels; class_names if you like"


def read_npz(path: Path, name: str | None = None) -> Dataset:
    """Read a data set from an `.npz` file; objects that would need unpickling are refused.

    Images are uint8, (N, H, W) for grey or (N, H, W, C). Labels are whole numbers from 0, or
    text, (N,) or (N, 1). `class_names`, an array of K strings, is optional; without it classes are
    named by their numbers, up to the largest training label, or by their texts.
    `images, labels` give a set without a test part; `x_val, y_val` give a validation part.

    Args:
        path: The file.
        name: The data set's name; the path by default.

    Raises:
        DataError: The file is damaged, an array is missing or of the wrong type or shape, or a
            class has no training image.
    """
    with scratch_folder() as scratch:
        arrays = _arrays(path, scratch)
    if "images" in arrays and "labels" in arrays:
        pairs = {"train": ("images", "labels")}
    else:
        pairs = dict(_PARTS)
    pairs |= {part: keys for part, keys in _OPTIONAL.items() if set(keys) & set(arrays)}
    missing = [key for keys in pairs.values() for key in keys if key not in arrays]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}; it holds {listed(arrays) or 'nothing'}",
            expected=_EXPECTED,
            fix="save the arrays under these names with numpy.savez_compressed",
        )
    told = {part: (f"{path}: {x}", f"{path}: {y}") for part, (x, y) in pairs.items()}
    arrays_of = {part: (arrays[x], arrays[y]) for part, (x, y) in pairs.items()}
    whole = dataset_of(arrays_of, arrays.get("class_names"), str(path), told)
    return replace(whole, name=name or str(path))


def _arrays(path: Path, scratch: Path) -> dict[str, Array]:
    """Return the arrays of an archive; large ones are unpacked to files and mapped from there."""
    try:
        with path.open("rb") as file:  # NumPy would leave a damaged archive open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise ValueError("it is a single array")
            return {
                key: _unpacked(archive, key, scratch / f"{i}.npy")
                for i, key in enumerate(archive.files)
            }
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as an .npz archive: {error}",
            expected=f"{_EXPECTED}; no Python objects",
            fix="save plain arrays with numpy.savez_compressed",
        ) from error


def _unpacked(archive: NpzFile, key: str, path: Path) -> Array:
    """Return one array of an archive, by way of the file `path` if it is large."""
    member = f"{key}.npy"
    unpacked = archive.zip
    if (
        unpacked is None
        or member not in unpacked.namelist()
        or unpacked.getinfo(member).file_size < LARGE_BYTES
    ):
        array: Array = archive[key]
        return array
    with explaining_storage(path), unpacked.open(member) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    return mapped(path)
