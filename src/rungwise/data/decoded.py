"""Decoded sets, kept in the cache, so that no process decodes what another one has decoded.

    decoded/<name>-<hash of the source's place>/
        index.json             the source's state, the files below, fingerprints, class names
        train-pixels.npy       (N, H, W, C) uint8, mapped into memory when it is opened
        train-labels.npy       (N,) int64
        train-names.npy        what the images are called, where they are files, as `FileNames`
        validation-…, test-…   where the set has them

An entry is used while the source's files are those it was made of, by size, times and inode, and
its own files are as they were written. Anything else is decoded anew: an entry saves time and
decides nothing. It appears whole, by one renaming, so processes do not wait for each other.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.names import FileNames, Names, Numbered
from rungwise.data.places import decoded_folder
from rungwise.errors import DataError
from rungwise.json_text import parse_json
from rungwise.storage import make_folder

logger = logging.getLogger(__name__)

DECODERS = 4
"""Raised whenever a source makes other pixels or labels of the same files."""

INDEX = "index.json"
_PARTIAL, _OUTDATED = ".partial-", ".outdated-"
_LEFT_BEHIND_SECONDS = 24 * 3600.0

_UNUSABLE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, DataError)
"""What opening an entry that is absent, damaged or not ours may raise."""


def remembered(
    name: str, place: str, files: Iterable[Path | str], read: Callable[[], Dataset]
) -> Dataset:
    """Return what `read` returns, from the cache if it was read before from the same files.

    Where the cache cannot be written the set is decoded each time, into memory.

    Args:
        name: What the entry is called, for people who look into the cache.
        place: Tells the source from all others: its path and how it is read. An entry whose source
            has changed is replaced.
        files: The files and folders that determine what `read` returns.
        read: Decodes the set.

    Raises:
        DataError: As `read`.
    """
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
    entry = decoded_folder() / f"{name}-{digest[:12]}"
    state = _state(files)
    kept = _open(entry, state)
    if kept is not None:
        return kept
    dataset = read()
    try:
        _write(entry, state, dataset)
    except OSError as error:
        logger.info("%s is not kept decoded: %s", dataset.name, error)
        return dataset
    return _open(entry, state) or dataset


def mapped(path: Path, *, bytes_of_shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return the array of a file, mapped into memory: a page is read when it is used.

    Args:
        path: An `.npy` file.
        bytes_of_shape: The file holds uint8 of this shape instead, and nothing else.

    Raises:
        ValueError, OSError, EOFError: It is no whole `.npy` file of plain values.
    """

    def load(mode: Literal["c", "r"]) -> NDArray[Any]:
        if bytes_of_shape is None:
            return cast(NDArray[Any], np.load(path, mmap_mode=mode))
        return np.memmap(path, np.uint8, mode, shape=bytes_of_shape)

    try:
        return load("c")  # Whoever writes to the array changes a private copy, never the file.
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        return load("r")  # Linux may refuse private copies of more than the memory.


def as_tensor(array: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor over the same memory, also one that may not be written to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch cannot keep anybody from writing, and says so
        return torch.from_numpy(array)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for temporary files: on the cache's disk, or else where the system has them.

    Files that are mapped may be removed with it: their content stays until nobody maps it.
    """
    try:
        decoded_folder().mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(
            dir=decoded_folder(), prefix=_PARTIAL, ignore_cleanup_errors=True
        )
    except OSError:
        made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder)


def _state(files: Iterable[Path | str]) -> str:
    """Return a hash that changes whenever one of the files is written, replaced or renamed."""
    digest = hashlib.sha256(f"{DECODERS}".encode())
    for file in files:
        with contextlib.suppress(OSError):  # Reading it will tell what is wrong with it.
            facts = os.stat(file)  # noqa: PTH116  (a Path for each of a million files takes seconds)
            times = facts.st_mtime_ns, facts.st_ctime_ns
            told = repr((str(file), facts.st_size, *times, facts.st_ino))
            digest.update(told.encode())
    return digest.hexdigest()


def _open(entry: Path, state: str) -> Dataset | None:
    """Return the set of an entry, its pixels mapped; None if there is none that can be used."""
    try:
        index = parse_json((entry / INDEX).read_bytes())
        if index["state"] != state:
            return None
        parts = {
            part: _open_part(entry, part, facts, tuple(index["class_names"]))
            for part, facts in index["parts"].items()
        }
        return Dataset(
            index["name"],
            parts["train"],
            test=parts.get("test"),
            validation=parts.get("validation"),
            notes=tuple(index["notes"]),
        )
    except _UNUSABLE:
        return None


def _open_part(
    entry: Path, part: str, facts: dict[str, Any], class_names: tuple[str, ...]
) -> LabelledImages:
    pixels = as_tensor(mapped(entry / f"{part}-pixels.npy"))
    labels = np.load(entry / f"{part}-labels.npy")
    kept = entry / f"{part}-names.npy"
    names = FileNames(mapped(kept)) if kept.name in facts["files"] else Numbered(part)
    # Looked at after the files are open, and so of the same entry, should another replace it now.
    if _files(entry, part) != facts["files"]:
        raise ValueError("other files than those that were written")
    images = LabelledImages(pixels, torch.from_numpy(labels), class_names, names=Names(names))
    return images.known_as(facts["fingerprint"])


def _files(folder: Path, part: str) -> dict[str, list[int]]:
    """Return size and time of writing of a part's files, by name."""
    facts = {path.name: path.stat() for path in sorted(folder.glob(f"{part}-*.npy"))}
    return {name: [fact.st_size, fact.st_mtime_ns] for name, fact in facts.items()}


def _write(entry: Path, state: str, dataset: Dataset) -> None:
    """Write an entry beside its place and move it there."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(entry.parent)
    made = make_folder(entry.parent, _PARTIAL)
    try:
        index = {
            "name": dataset.name,
            "state": state,
            "class_names": dataset.train.class_names,
            "notes": dataset.notes,
            "parts": {part: _write_part(made, part, data) for part, data in dataset.parts.items()},
        }
        (made / INDEX).write_text(json.dumps(index, indent=1))
        _move(made, entry)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write_part(folder: Path, part: str, data: LabelledImages) -> dict[str, Any]:
    channels, height, width = data.shape
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (len(data), height, width, channels),
    }
    with _lasting(folder / f"{part}-pixels.npy") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in data.chunks():
            file.write(chunk.contiguous().numpy().data)
    with _lasting(folder / f"{part}-labels.npy") as file:
        np.save(file, data.labels.numpy())
    names = None if data.names is None else data.names.files()
    if names is not None:
        with _lasting(folder / f"{part}-names.npy") as file:
            np.save(file, names.block)
    return {"fingerprint": data.fingerprint, "files": _files(folder, part)}


@contextlib.contextmanager
def _lasting(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is on the disk when it is closed."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _move(made: Path, entry: Path) -> None:
    """Rename a folder to an entry; one that lies there is removed, which harms no reader."""
    try:
        made.rename(entry)
    except OSError:
        aside = make_folder(entry.parent, _OUTDATED)
        try:
            entry.rename(aside / entry.name)
            made.rename(entry)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _remove_left_behind(folder: Path) -> None:
    """Remove what processes that were killed while writing have left, once it is a day old."""
    for path in (*folder.glob(f"{_PARTIAL}*"), *folder.glob(f"{_OUTDATED}*")):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
