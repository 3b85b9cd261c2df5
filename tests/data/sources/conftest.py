"""Tiny files whose headers claim pictures of any size."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest


def png(path: Path, width: int, height: int) -> Path:
    """Write a PNG that claims a size which its body does not have."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def tiff(path: Path, width: int, height: int) -> Path:
    """Write a TIFF: one strip of grey pixels, deflated, that claims to be all of them."""
    strip = zlib.compress(bytes(100))
    tags = [
        *((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1)),
        *((273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(strip))),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    start = 8 + len(strip) + len(strip) % 2
    head = b"II*\0" + struct.pack("<I", start)
    path.write_bytes((head + strip).ljust(start, b"\0") + directory)
    return path


def gif(path: Path, width: int, height: int) -> Path:
    """Write a GIF of a large screen with one pixel on it."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00;"
    path.write_bytes(b"GIF89a" + screen + image)
    return path


def webp(path: Path, width: int, height: int) -> Path:
    """Write an animated WebP of a large canvas with one frame of a pixel on it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    pixel = chunk(b"VP8L", bytes.fromhex("2f00000000881f0100"))
    canvas = chunk(b"VP8X", b"\x02\0\0\0" + three(width - 1) + three(height - 1))
    frame = chunk(b"ANMF", 5 * three(0) + b"\0" + pixel)
    body = b"WEBP" + canvas + chunk(b"ANIM", bytes(6)) + frame
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


@pytest.fixture
def bomb() -> Callable[[Path, int, int], Path]:
    """Write a file that claims a size; the suffix says in which format."""
    writers = {".png": png, ".tif": tiff, ".gif": gif, ".webp": webp}
    return lambda path, width, height: writers[path.suffix](path, width, height)
