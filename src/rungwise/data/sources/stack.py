"""Pictures of one size, stacked in a file as they are decoded: memory never holds them all."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rungwise.data.decoded import mapped
from rungwise.data.images import CHUNK_BYTES
from rungwise.storage import explaining_storage


class Stack:
    """A growing array (N, H, W, C) uint8 in a file; it becomes RGB with the first colour picture.

    Args:
        folder: Where the file is written, and once more where grey pictures become RGB.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "pictures"
        self._file: BinaryIO | None = None
        self._shape: tuple[int, int, int] = (0, 0, 0)
        self._count = 0

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Append a picture.

        Args:
            pixels: (H, W, 1) or (H, W, 3), of the same height and width as the others.

        Raises:
            StorageError: The disk is full or the folder cannot be written.
        """
        height, width, channels = pixels.shape
        with explaining_storage(self._path):
            if self._count and channels > self._shape[2]:
                self._make_colourful()
            self._shape = (height, width, max(channels, self._shape[2]))
            self._file = self._file or self._path.open("ab")
            self._file.write(np.broadcast_to(pixels, self._shape).tobytes())
        self._count += 1

    def array(self) -> NDArray[np.uint8]:
        """Return the pictures, mapped into memory; they may be read after the file is removed.

        Raises:
            StorageError: The disk is full.
        """
        self.close()
        if not self._count:
            return np.empty((0, 1, 1, 1), np.uint8)
        return mapped(self._path, bytes_of_shape=(self._count, *self._shape))

    def close(self) -> None:
        """Write what is not yet in the file.

        Raises:
            StorageError: The disk is full.
        """
        file, self._file = self._file, None
        with explaining_storage(self._path):
            if file:
                file.close()

    def _make_colourful(self) -> None:
        grey, colour = self.array(), self._path.with_name("colour")
        size = max(1, CHUNK_BYTES // grey[0].size)
        with colour.open("wb") as file:
            for start in range(0, len(grey), size):
                file.write(np.repeat(grey[start : start + size], 3, axis=3).data)
        colour.replace(self._path)
