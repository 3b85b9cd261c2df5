"""NumPy archives: `x_train, y_train, x_test, y_test`, or `images, labels`."""

import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from rungwise.data.decoded import as_tensor, mapped, scratch_folder
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.problems import listed
from rungwise.errors import DataError
from rungwise.storage import explaining_storage

Array = NDArray[Any]

LARGE_BYTES = 2**24
"""Size of an array from which on it is unpacked to a file, not into memory."""

_PARTS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}
_OPTIONAL = {"validation": ("x_val", "y_val")}
_EXPECTED = "arrays x_train, y_train, x_test, y_test, or images, labels; class_names if you like"


def read_npz(path: Path, name: str | None = None) -> Dataset:
    """Read a data set from an `.npz` file; objects that would need unpickling are refused.

    Images are uint8, (N, H, W) for grey or (N, H, W, C). Labels are whole numbers from 0, (N,) or
    (N, 1). `class_names`, an array of K strings, is optional; without it classes are named by
    their numbers, up to the largest training label. `images, labels` give a set without a test
    part; `x_val, y_val` give a validation part.

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
    labels = {part: _labels(arrays[y], f"{path}: {y}") for part, (_, y) in pairs.items()}
    names = _class_names(arrays.get("class_names"), labels["train"], path)
    parts = {
        part: LabelledImages(_images(arrays[x], f"{path}: {x}"), labels[part], names)
        for part, (x, _) in pairs.items()
    }
    _require_every_class(parts["train"], path)
    _require_one_shape(parts, path)
    return Dataset(
        name or str(path),
        parts["train"],
        test=parts.get("test"),
        validation=parts.get("validation"),
    )


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


def _images(array: Array, source: str) -> torch.Tensor:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(
            f"{source} is {array.dtype} of shape {array.shape}",
            expected="uint8, 0..255, of shape (N, H, W) or (N, H, W, C), with at least one image",
            fix="scale to 0..255, round, and save with .astype('uint8')",
        )
    images = as_tensor(array)
    return images.unsqueeze(-1) if array.ndim == 3 else images


def _labels(array: Array, source: str) -> torch.Tensor:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if not np.issubdtype(flat.dtype, np.integer) or flat.ndim != 1 or not len(flat):
        raise DataError(
            f"{source} is {array.dtype} of shape {array.shape}",
            expected="whole numbers of shape (N,), at least one",
            fix="number the classes from 0; turn one-hot rows into numbers with .argmax(1)",
        )
    return torch.from_numpy(flat.astype(np.int64))


def _class_names(array: Array | None, labels: torch.Tensor, path: Path) -> tuple[str, ...]:
    if array is None:
        # A stray label such as 10**9 must not make a billion class names.
        return tuple(map(str, range(min(int(labels.max()) + 1, len(labels)))))
    names = tuple(map(str, array.tolist())) if array.ndim == 1 else ()
    if array.dtype.kind != "U" or not names or len(set(names)) < len(names):
        raise DataError(
            f"{path}: class_names is {array.dtype} of shape {array.shape}",
            expected="an array of different strings, one for each class",
            fix="save numpy.array(['first class', 'second class', …])",
        )
    return names


def _require_every_class(train: LabelledImages, path: Path) -> None:
    pairs = zip(train.class_names, train.class_counts(), strict=True)
    empty = [name for name, count in pairs if not count]
    if empty:
        raise DataError(
            f"{path} has no training image of {len(empty)} classes: {listed(empty)}",
            expected="at least one training image of each class",
            fix="number the classes from 0 without gaps, or take the names out of class_names",
        )


def _require_one_shape(parts: dict[str, LabelledImages], path: Path) -> None:
    shapes = {part: tuple(images.pixels.shape[1:]) for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"{path} has images of different shapes: {shapes}",
            expected="one shape (H, W, C) in all parts",
            fix="resize the images, or give all of them the same number of channels",
        )
