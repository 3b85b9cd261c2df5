"""The IDX format of MNIST and its kin: a magic number, the sizes, the bytes.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.content import explaining_reads, require_identity
from rungwise.data.download import Download
from rungwise.data.images import LabelledImages
from rungwise.data.sources.unpacking import Unpacked
from rungwise.errors import DataError

UNSIGNED_BYTE = 0x08
LARGEST_BYTES = 2**29
"""MNIST's largest file holds 47 MB."""

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@dataclass(frozen=True, kw_only=True)
class IdxFiles:
    """The four IDX files of a named set, plain or as `.gz`.

    Args:
        mirrors: Addresses, each ending in `/`, that the file names with `.gz` are appended to.
        identities: Git blob hash of the uncompressed content, by file name without `.gz`.
    """

    mirrors: tuple[str, ...]
    identities: Mapping[str, str]

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Return the names of the files that `folder` lacks."""
        return tuple(f"{name}.gz" for name in self.identities if _find(folder, name) is None)

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Return the four files."""
        return tuple(_find(folder, name) or folder / f"{name}.gz" for name in self.identities)

    def downloads(self) -> tuple[Download, ...]:
        """Return the four files; mirrors wrap them anew, so only the content is compared."""
        return tuple(
            Download(
                name=f"{name}.gz",
                mirrors=tuple(f"{mirror}{name}.gz" for mirror in self.mirrors),
                verify=partial(_verify, identity=identity),
            )
            for name, identity in self.identities.items()
        )

    def read(
        self, folder: Path, class_names: tuple[str, ...]
    ) -> tuple[LabelledImages, LabelledImages]:
        """Return the training and the test images, verified.

        Raises:
            DataError: A file is missing, damaged, or has other content than the official one.
        """
        train = self._part(folder, TRAIN_IMAGES, TRAIN_LABELS, class_names)
        return train, self._part(folder, TEST_IMAGES, TEST_LABELS, class_names)

    def _part(
        self, folder: Path, images: str, labels: str, class_names: tuple[str, ...]
    ) -> LabelledImages:
        pixels, classes = (
            read_idx(_find(folder, name) or folder / f"{name}.gz", self.identities.get(name))
            for name in (images, labels)
        )
        return labelled(pixels, classes, class_names)


def read_idx(path: Path, identity: str | None = None) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes; it is unpacked in memory if its name ends in `.gz`.

    Args:
        path: The file.
        identity: Git blob hash of the uncompressed content; None takes any content.

    Returns:
        uint8, of the shape that the file states; for images (N, H, W), for labels (N,).

    Raises:
        DataError: The file is missing, damaged, cut off, too long, or not an IDX file.
    """
    content = _content(path)
    require_identity(content, identity, path)
    shape, start = _header(content, path)
    if (size := len(content) - start) != prod(shape):
        raise DataError(
            f"{path} has {size if size < prod(shape) else 'more'} bytes of data",
            expected=f"{prod(shape)} bytes, for the shape {shape} that its header states",
            fix="delete the file and copy or download it again",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def labelled(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], class_names: tuple[str, ...]
) -> LabelledImages:
    """Join grey images (N, H, W) and labels (N,), both uint8.

    Raises:
        DataError: The shapes do not belong together, or a label is no class.
    """
    return LabelledImages(
        torch.from_numpy(images).unsqueeze(-1), torch.from_numpy(labels).long(), class_names
    )


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _verify(path: Path, identity: str) -> None:
    require_identity(_content(path), identity, path)


def _content(path: Path) -> bytearray:
    """Return what an IDX file holds, up to one byte more than its header states."""
    with (
        explaining_reads(path),
        Unpacked(path, LARGEST_BYTES, gzip=path.suffix == ".gz") as file,
    ):
        content = file.read(4)
        content += file.read(4 * content[3] if len(content) == 4 else 0)
        shape, _ = _header(content, path)
        content += file.read(prod(shape) + 1)
    return content


def _header(content: bytearray, path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape that an IDX file states, and where its data begin."""
    zeros, kind, axes = struct.unpack(">HBB", content[:4]) if len(content) >= 4 else (1, 0, 0)
    start = 4 + 4 * axes
    if zeros or kind != UNSIGNED_BYTE or not axes or len(content) < start:
        raise DataError(
            f"{path} is not an IDX file of unsigned bytes: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}",
            expected="00 00 08 03 for images, 00 00 08 01 for labels",
            fix="delete the file and copy or download it again",
        )
    return struct.unpack(f">{axes}I", content[4:start]), start
