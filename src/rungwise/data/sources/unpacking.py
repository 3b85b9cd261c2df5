"""Compressed files, unpacked as a stream that ends at a limit, in memory alone.

A few bytes may unpack to terabytes, and a header may claim any size. So whoever reads says how many
bytes there may be, and more are refused before they are made.
"""

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from rungwise.errors import DataError

_CHUNK = 2**16
_MOST_MEMBERS = 1_000
"""Of one archive, or of one gzip file, which may be several one after another."""

_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
"""Members that describe the next one. No official archive needs them, so they are passed over."""


class Unpacked:
    """The content of a file, unpacked where it is gzip; use as a context manager.

    Args:
        path: The file.
        most: How many bytes it may unpack to.
        gzip: Whether it is compressed.
    """

    def __init__(self, path: Path, most: int, *, gzip: bool = True) -> None:
        self.path, self._most, self._gzip = path, most, gzip
        self._file: BinaryIO = path.open("rb")
        self._packed = b""
        self._unpacker = zlib.decompressobj(wbits=31)
        self._members = self._count = 0

    def __enter__(self) -> "Unpacked":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, count: int) -> bytearray:
        """Return the next `count` bytes; fewer where the content ends.

        Raises:
            DataError: The content exceeds the limit.
            zlib.error, EOFError: It is damaged or cut off.
        """
        content = bytearray()
        while len(content) < count and (piece := self._piece(min(count - len(content), _CHUNK))):
            content += piece
        return content

    def _piece(self, count: int) -> bytes:
        piece = self._unpacked_piece(count) if self._gzip else self._file.read(count)
        self._count += len(piece)
        if self._count > self._most:
            raise DataError(
                f"{self.path} holds more than {self._most:,} bytes",
                expected="a data set's own file; no known one is so large",
                fix="delete the file and copy or download it again",
            )
        return piece

    def _unpacked_piece(self, count: int) -> bytes:
        """Return up to `count` bytes, which are none at the end alone."""
        while True:
            if self._unpacker.eof and not self._next_member():
                return b""
            packed = self._packed or self._file.read(_CHUNK)
            if not packed and not self._unpacker.unconsumed_tail:
                raise EOFError("it ends before its last byte")
            piece = self._unpacker.decompress(packed, count)
            self._packed = self._unpacker.unconsumed_tail
            if piece:
                return piece

    def _next_member(self) -> bool:
        """Begin the gzip member that follows one that has ended, if there is any."""
        self._packed = (self._unpacker.unused_data or self._file.read(_CHUNK)).lstrip(b"\0")
        self._members += 1
        if not self._packed:
            return False
        if self._members > _MOST_MEMBERS:
            raise zlib.error(f"it has more than {_MOST_MEMBERS:,} members")
        self._unpacker = zlib.decompressobj(wbits=31)
        return True


def tar_members(content: Unpacked, largest: int) -> Iterator[tuple[tarfile.TarInfo, bytearray]]:
    """Yield header and content of each file and folder of a tar archive; nothing is written.

    Python's own reader takes a description of any length into memory.

    Args:
        content: The archive.
        largest: How many bytes a member may have, descriptions too.

    Raises:
        DataError: A member has more, or there are more than 1,000 members.
        tarfile.TarError, EOFError: The archive is damaged or cut off.
    """
    count = 0
    while (block := content.read(tarfile.BLOCKSIZE)).strip(b"\0"):
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        count += 1
        if count > _MOST_MEMBERS:
            raise _unlike(content, f"has more than {_MOST_MEMBERS:,} members", "plain files")
        size = member.size if member.isreg() or member.type in _HEADERS else 0
        if not 0 <= size <= largest:
            what = f"member {member.name!r} has {size} bytes"
            raise _unlike(content, what, f"at most {largest} bytes")
        body = content.read(size)
        if len(body) < size:
            raise EOFError("it ends inside a member")
        content.read(-size % tarfile.BLOCKSIZE)
        if member.type not in _HEADERS:
            yield member, body


def _unlike(content: Unpacked, what: str, expected: str) -> DataError:
    return DataError(
        f"{content.path}: {what}",
        expected=expected,
        fix="delete the archive and get the official one",
    )
