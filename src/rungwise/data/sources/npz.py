"""NumPy archives: images and labels by part, such as `x_train, y_train` or `images, labels`.

Nothing of an archive is believed: an array is unpacked only after its header was read, and agrees
with the size that the archive claims. Nothing is ever unpickled.
"""

import math
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rungwise.data.arrays import dataset_of
from rungwise.data.decoded import mapped, scratch_folder
from rungwise.data.images import Dataset
from rungwise.data.names import printable
from rungwise.data.pixels import Array, in_memory
from rungwise.data.problems import listed
from rungwise.data.sources.listing import PART_NAMES
from rungwise.errors import DataError, RungwiseError, StorageError
from rungwise.storage import explaining_storage

LARGE_BYTES = 2**24
"""Size of an array from which on it is unpacked to a file, not into memory."""
MOST_DIRECTORY_BYTES = 2**23
"""Size of the list of an archive's members; it is held in memory, twenty times as large."""
MOST_HEADER_BYTES = 4096
"""NumPy's own headers of arrays of numbers have 128."""
SUSPECT_BYTES, SUSPECT_RATIO = 2**27, 100
"""What unpacks to more than both is refused: pictures are never compressed so well."""
MANY_IMAGES = 10**5
"""From this number on, more images than bytes are refused: they can only be copies."""

IMAGE_WORDS = ("x", "images", "image", "data")
LABEL_WORDS = ("y", "labels", "label", "targets", "target")
CLASS_NAMES = ("class_names", "label_names", "target_names")

_EXPECTED = (
    "images and labels by part, such as x_train, y_train, x_test, y_test, or train_images, "
    "train_labels, or images, labels; class_names if you like"
)


def read_npz(path: Path, name: str | None = None) -> Dataset:
    """Read a data set from an `.npz` file; objects that would need unpickling are refused.

    Arrays are what `from_arrays` takes. They are found by their names, in any case: one of
    `IMAGE_WORDS` or `LABEL_WORDS`, and a part (train, val, test) before or after it; without a
    part they are trained on. `class_names`, an array of K strings, is optional.

    Args:
        path: The file.
        name: The data set's name; the path by default.

    Raises:
        DataError: The file is damaged, or claims more than it can hold; an array is missing, or
            cannot be used.
        StorageError: There is no room to unpack it.
    """
    with scratch_folder() as scratch:
        contents = _unpacked(path, scratch)
        dataset = dataset_of(
            contents.pairs, contents.class_names, str(path), contents.told, keep=_Keeping(scratch)
        )
    unused = f"{path}: not used are {_shown(contents.unused)}"
    notes = (*dataset.notes, unused) if contents.unused else dataset.notes
    return replace(dataset, name=name or str(path), notes=notes)


@dataclass(frozen=True)
class _Contents:
    """What an archive holds: images and labels by part, what they are called, and the rest."""

    pairs: dict[str, tuple[Array, Array]]
    told: dict[str, tuple[str, str]]
    class_names: Array | None
    unused: list[str]


def _unpacked(path: Path, scratch: Path) -> _Contents:
    try:
        with _opened(path) as archive:
            return _read(archive, path, scratch)
    except RungwiseError:
        raise
    except Exception as error:  # zipfile and NumPy raise every kind of error on damaged files
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise DataError(
            f"{path} cannot be read as an .npz archive: {reason}",
            expected=f"{_EXPECTED}; no Python objects",
            fix="save plain arrays with numpy.savez_compressed",
        ) from error


def _read(archive: zipfile.ZipFile, path: Path, scratch: Path) -> _Contents:
    members = {key.removesuffix(".npy"): key for key in archive.namelist()}
    if len(members) < len(archive.namelist()):
        raise ValueError("two arrays have the same name")
    keys, names_key, unused = _found(list(members), path)
    wanted = [key for pair in keys.values() for key in pair] + ([names_key] if names_key else [])
    infos = [archive.getinfo(members[key]) for key in wanted]
    _require_believable(infos, path)
    arrays = {
        key: _array(archive, info, key, scratch / f"{i}.npy")
        for i, (key, info) in enumerate(zip(wanted, infos, strict=True))
    }
    for image_key, _ in keys.values():
        _require_different(arrays[image_key], infos[wanted.index(image_key)], path)
    return _Contents(
        {part: (arrays[x], arrays[y]) for part, (x, y) in keys.items()},
        {part: (f"{path}: {x}", f"{path}: {y}") for part, (x, y) in keys.items()},
        arrays[names_key] if names_key else None,
        unused,
    )


def _found(keys: list[str], path: Path) -> tuple[dict[str, tuple[str, str]], str | None, list[str]]:
    """Return the keys of images and labels by part, that of the class names, and all others.

    Raises:
        DataError: One is missing, or there are two for the same.
    """
    roles: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        roles.setdefault(_role(key), []).append(key)
    others = roles.pop(("", ""), [])
    if twice := [names for names in roles.values() if len(names) > 1]:
        raise DataError(
            f"{path} holds several arrays that could be the same: {_shown(twice[0])}",
            expected=_EXPECTED,
            fix="leave all but one of them out",
        )
    found = {role: names[0] for role, names in roles.items()}
    names_key = found.pop(("names", ""), None)
    parts = {part: None for _, part in [("", "train"), *found]}
    lacking = [
        f"{role} of {part}"
        for part in parts
        for role in ("images", "labels")
        if (role, part) not in found
    ]
    if lacking:
        raise DataError(
            f"{path} lacks {', '.join(lacking)}; it holds {_shown(keys) or 'nothing'}",
            expected=_EXPECTED,
            fix="save the arrays under these names with numpy.savez_compressed",
        )
    pairs = {part: (found["images", part], found["labels", part]) for part in parts}
    return pairs, names_key, others


def _role(key: str) -> tuple[str, str]:
    """Return what an array is by its name: images, labels or names, and of which part.

    >>> _role("x_train"), _role("val_labels"), _role("images"), _role("ids")
    (('images', 'train'), ('labels', 'validation'), ('images', 'train'), ('', ''))
    """
    plain = key.casefold()
    if plain in CLASS_NAMES:
        return "names", ""
    before, _, after = plain.partition("_")
    for word, part in ((before, after), (after, before), (plain, "train")):
        if part in PART_NAMES and word in IMAGE_WORDS + LABEL_WORDS:
            return "images" if word in IMAGE_WORDS else "labels", PART_NAMES[part]
    return "", ""


def _opened(path: Path) -> zipfile.ZipFile:
    """Open an archive whose list of members is of moderate length."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise ValueError("it is a single array")
        _require_short_directory(file, path)
    return zipfile.ZipFile(path)


def _require_short_directory(file: BinaryIO, path: Path) -> None:
    read_end = getattr(zipfile, "_EndRecData", None)  # private; without it there is no such check
    end = read_end(file) if read_end else None
    if end and end[5] > MOST_DIRECTORY_BYTES:
        raise DataError(
            f"{path} has a list of members of {end[5]:,} bytes",
            expected=f"at most {MOST_DIRECTORY_BYTES:,}: a few arrays",
            fix="save all images as one array with numpy.savez_compressed",
        )


def _require_believable(infos: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse what claims to be larger than its file, and what images are never compressed to."""
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if packed > path.stat().st_size:
        raise ValueError("its members are larger than the file")
    if unpacked > SUSPECT_BYTES and unpacked > SUSPECT_RATIO * packed:
        raise DataError(
            f"{path} would unpack {packed:,} bytes to {unpacked:,}",
            expected=f"arrays that were not compressed to less than 1 in {SUSPECT_RATIO}",
            fix="if that is right, save them with numpy.savez, which does not compress",
        )


def _require_different(images: Array, info: zipfile.ZipInfo, path: Path) -> None:
    count = len(images) if images.ndim else 0
    if count > max(MANY_IMAGES, info.compress_size):
        raise DataError(
            f"{path} would unpack {info.compress_size:,} bytes to {count:,} images",
            expected="a byte or more for each image: with less, they can only be copies",
            fix="leave the copies out",
        )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str, path: Path) -> Array:
    """Return one array of an archive, by way of the file `path` if it is large.

    Raises:
        ValueError, NotImplementedError, …: It is damaged, or no plain array.
        StorageError: There is no room for it.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"{what} is compressed in a way that NumPy does not write")
    with archive.open(info) as member:
        _require_plain(member, info.file_size, what)
    with archive.open(info) as member:
        if info.file_size < LARGE_BYTES:
            array: Array = np.lib.format.read_array(
                member, allow_pickle=False, max_header_size=MOST_HEADER_BYTES
            )
            return array
        _require_room(path, info.file_size)
        with explaining_storage(path), path.open("wb") as target:
            shutil.copyfileobj(member, target)
    return mapped(path)


def _require_plain(member: IO[bytes], size: int, what: str) -> None:
    """Require a header of plain values whose number is that of the bytes that follow."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        read_header = np.lib.format.read_array_header_1_0
    elif version == (2, 0):
        read_header = np.lib.format.read_array_header_2_0
    else:
        raise ValueError(f"{what} is in version {version} of NumPy's format, which no array needs")
    shape, _, kind = read_header(member, max_header_size=MOST_HEADER_BYTES)
    if kind.hasobject:
        raise ValueError(f"{what} holds Python objects, which are never unpickled")
    if kind.kind not in "biufUS":
        raise ValueError(f"{what} holds {kind}, neither numbers nor text")
    claimed = math.prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or claimed != size - member.tell():
        raise ValueError(
            f"{what} is of shape {str(shape)[:100]}, {claimed:.4g} bytes, and holds "
            f"{size - member.tell():,}"
        )


def _require_room(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise StorageError(
            f"{size:,} bytes are to be unpacked to {path.parent}, and {free:,} are free",
            expected="room for the largest array",
            fix="free some space, or set RUNGWISE_HOME to a folder on another disk",
        )


class _Keeping:
    """Keeps converted pixels in memory, or in files of a folder if they are large."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def __call__(
        self, slices: Iterator[NDArray[np.uint8]], shape: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        if math.prod(shape) < LARGE_BYTES:
            return in_memory(slices, shape)
        self._count += 1
        path = self._folder / f"{self._count}.pixels"
        _require_room(path, math.prod(shape))
        with explaining_storage(path), path.open("wb") as file:
            for some in slices:
                file.write(some.data)
        return mapped(path, bytes_of_shape=shape)


def _shown(keys: Any) -> str:
    return listed(printable(key)[:100] for key in keys)
