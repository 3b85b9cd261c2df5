"""CIFAR-10's binary version: records of one label byte and 3 × 32 × 32 pixel bytes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
"""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.content import explaining_reads, require_identity
from rungwise.data.download import Download
from rungwise.data.images import LabelledImages
from rungwise.data.sources.unpacking import Unpacked, tar_members
from rungwise.errors import DataError

ARCHIVE, FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"
RECORD_BYTES = 1 + 3 * 32 * 32
LARGEST_MEMBER_BYTES = 10_000 * RECORD_BYTES
"""No member of the official archive is larger; a larger one is refused before it is unpacked."""
LARGEST_ARCHIVE_BYTES = 2**28
"""The official archive unpacks to 184 MB."""


@dataclass(frozen=True, kw_only=True)
class CifarArchive:
    """CIFAR-10 as its archive, or as the folder that the archive unpacks to.

    Args:
        mirrors: Addresses of the archive.
        identities: Git blob hash of each batch, by file name.
        known_hash: Hash of the official archive itself.
    """

    mirrors: tuple[str, ...]
    identities: Mapping[str, str]
    known_hash: str | None = None

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Return the archive's name if `folder` holds neither it nor the unpacked batches."""
        return () if _find(folder) else (ARCHIVE,)

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Return the archive, or the unpacked batches."""
        found = _find(folder) or folder / ARCHIVE
        names = (*TRAIN_FILES, TEST_FILE)
        return tuple(found / name for name in names) if found.is_dir() else (found,)

    def downloads(self) -> tuple[Download, ...]:
        """Return the archive."""
        verify = partial(_verify, identities=self.identities)
        return (
            Download(name=ARCHIVE, mirrors=self.mirrors, verify=verify, known_hash=self.known_hash),
        )

    def read(
        self, folder: Path, class_names: tuple[str, ...]
    ) -> tuple[LabelledImages, LabelledImages]:
        """Return the training and the test images, verified.

        Raises:
            DataError: The archive or a batch is missing, damaged, or not the official one.
        """
        return read_cifar(_find(folder) or folder / ARCHIVE, class_names, self.identities)


def read_cifar(
    path: Path, class_names: tuple[str, ...], identities: Mapping[str, str] | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """Read the six batches from a `.tar.gz`, in memory, or from a folder.

    Args:
        path: The archive, or the folder `cifar-10-batches-bin`.
        class_names: The classes, in the order of their labels.
        identities: Git blob hash of each batch by file name; None takes any content.

    Returns:
        Training images (batches 1 to 5 in order) and test images: uint8 (N, 32, 32, 3).

    Raises:
        DataError: A batch is missing, damaged, of a wrong size, or lies outside the folder.
    """
    batches = {
        name: _records(content, f"{path}: {name}")
        for name, content in _members(path, identities or {})
    }
    missing = [name for name in (*TRAIN_FILES, TEST_FILE) if name not in batches]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}",
            expected="data_batch_1.bin to data_batch_5.bin and test_batch.bin",
            fix=f"delete it and get {ARCHIVE} (the binary version) again",
        )
    train = labelled([batches[name] for name in TRAIN_FILES], class_names)
    return train, labelled([batches[TEST_FILE]], class_names)


def labelled(batches: list[NDArray[np.uint8]], class_names: tuple[str, ...]) -> LabelledImages:
    """Join batches of records, each uint8 (N, 3073), into labelled images.

    Raises:
        DataError: A label is no class.
    """
    total = sum(map(len, batches))
    images = np.empty((total, 32, 32, 3), np.uint8)
    start = 0
    for batch in batches:
        planes = batch[:, 1:].reshape(-1, 3, 32, 32)
        images[start : start + len(batch)] = planes.transpose(0, 2, 3, 1)
        start += len(batch)
    labels = np.concatenate([batch[:, 0] for batch in batches]).astype(np.int64)
    return LabelledImages(torch.from_numpy(images), torch.from_numpy(labels), class_names)


def _find(folder: Path) -> Path | None:
    unpacked = folder / FOLDER
    if all((unpacked / name).is_file() for name in (*TRAIN_FILES, TEST_FILE)):
        return unpacked
    return folder / ARCHIVE if (folder / ARCHIVE).is_file() else None


def _verify(path: Path, identities: Mapping[str, str]) -> None:
    found = {name for name, _ in _members(path, identities)}
    if lacking := sorted(set(identities) - found):
        raise DataError(f"{path} lacks {', '.join(lacking)}")


def _members(path: Path, identities: Mapping[str, str]) -> Iterator[tuple[str, bytearray]]:
    """Yield name and content of each batch, verified."""
    for name, content in _unpacked(path) if path.is_dir() else _packed(path):
        require_identity(content, identities.get(name), f"{path}: {name}")
        yield name, content


def _unpacked(folder: Path) -> Iterator[tuple[str, bytearray]]:
    for name in (*TRAIN_FILES, TEST_FILE):
        if (folder / name).exists():
            with (
                explaining_reads(folder / name),
                Unpacked(folder / name, LARGEST_ARCHIVE_BYTES, gzip=False) as file,
            ):
                content = file.read(LARGEST_MEMBER_BYTES + 1)
            yield name, content


def _packed(archive: Path) -> Iterator[tuple[str, bytearray]]:
    """Stream the archive once; nothing is ever written to the disk."""
    seen = set()
    with explaining_reads(archive), Unpacked(archive, LARGEST_ARCHIVE_BYTES) as content:
        for member, body in tar_members(content, LARGEST_MEMBER_BYTES):
            _require_harmless(member, archive)
            name = PurePosixPath(member.name).name
            if name in (*TRAIN_FILES, TEST_FILE) and name not in seen:
                seen.add(name)
                yield name, body


def _require_harmless(member: tarfile.TarInfo, archive: Path) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise DataError(
            f"{archive}: member {member.name!r} leaves its folder or is a link",
            expected="plain files inside one folder",
            fix=f"delete the archive and get the official {ARCHIVE}; do not unpack this one",
        )


def _records(content: bytearray, source: str) -> NDArray[np.uint8]:
    if not content or len(content) % RECORD_BYTES or len(content) > LARGEST_MEMBER_BYTES:
        raise DataError(
            f"{source} has {len(content)} bytes",
            expected=f"a multiple of {RECORD_BYTES} bytes, one record per image, "
            f"at most {LARGEST_MEMBER_BYTES}",
            fix=f"delete it and get the official {ARCHIVE} (the binary version) again",
        )
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
