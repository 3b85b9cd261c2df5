"""An image file without what does not matter to its pixels: texts, profiles, thumbnails, comments.

Metadata may be larger than the image, damaged, or made to keep its reader busy for minutes; none of
that makes the image worse. What says how the pixels are to be seen stays: transparency and EXIF's
rotation. A file whose structure is not understood is handed on as it is, for its decoder to judge.

Source: PNG (W3C, third edition), section 5; JPEG (ITU T.81), annex B; Netpbm's ppm(5).
"""

import re
import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"tRNS", b"eXIf")
_LONGEST_EXIF = 2**16

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_DROPPED = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Application segments but JFIF's (E0) and Adobe's (EE), which say what the colours are; comments.
Exif (in E1) says how the image is turned: the first one is kept."""

_PPM_GAP = rb"(?:[ \t\v\f\r\n]++|#[^\r\n]*+)++"
_PPM_HEADERS = {
    kind: re.compile(kind + numbers * (_PPM_GAP + rb"(\d++)") + rb"[ \t\v\f\r\n]")
    for kind, numbers in ((b"P4", 2), (b"P5", 3), (b"P6", 3))
}
_PPM_COMMENT = re.compile(rb"#[^\r\n]*+")
_LINE_END = re.compile(rb"[\r\n]")
_BLOCK = 2**20


def bare(content: bytes) -> bytes:
    """Return an image file's content without metadata; what is no PNG, JPEG or PPM, unchanged."""
    if content.startswith(_PNG):
        return b"".join((_PNG, *_png_chunks(content)))
    if content.startswith(b"\xff\xd8\xff"):
        return b"".join((content[:2], *_jpeg_segments(content)))
    if content[:2] in (b"P1", b"P2", b"P3"):
        return bytes(_without_comments(content))
    if header := content[:2] in _PPM_HEADERS and _PPM_HEADERS[content[:2]].match(content):
        return b" ".join((content[:2], *header.groups())) + b"\n" + content[header.end() :]
    return content


def _without_comments(content: bytes) -> bytearray:
    """Return a plain PPM file without comments; millions of them take a block's memory only."""
    kept, is_inside = bytearray(), False
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        if is_inside:
            end = _LINE_END.search(block)
            block = block[end.start() :] if end else b""
        if block:
            is_inside = block.rfind(b"#") > max(block.rfind(b"\n"), block.rfind(b"\r"))
        kept += _PPM_COMMENT.sub(b"", block)
    return kept


def _png_chunks(content: bytes) -> Iterator[bytes]:
    """Yield the chunks that a decoder needs, whole; from a damaged one on, all the rest."""
    start = len(_PNG)
    while start + 12 <= len(content):
        length, kind = struct.unpack_from(">L4s", content, start)
        end = start + 12 + length
        if end > len(content) or not kind.isalpha():
            break
        is_critical = kind[:1].isupper()
        if is_critical or (kind in _PNG_KEPT and _is_sound(content, start, end)):
            yield content[start:end]
        start = end
        if kind == b"IEND":
            return
    yield content[start:]


def _is_sound(content: bytes, start: int, end: int) -> bool:
    """Tell whether a PNG's chunk is of a usual length and has the checksum that it states."""
    (checksum,) = struct.unpack_from(">L", content, end - 4)
    return end - start <= _LONGEST_EXIF and zlib.crc32(content[start + 4 : end - 4]) == checksum


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    """Yield the segments before the pixels that a decoder needs, then all the rest."""
    start, wanted = 2, {_EXIF, _XMP}
    while start + 4 <= len(content) and content[start] == 0xFF:
        marker, length = struct.unpack_from(">xBH", content, start)
        if marker == 0xFF:  # a byte that fills up
            start += 1
            continue
        end = start + 2 + length
        if marker < 0xC0 or 0xD0 <= marker <= 0xDA or end > len(content):
            break
        kind = next((one for one in wanted if content.startswith(one, start + 4)), None)
        if marker not in _JPEG_DROPPED or kind is not None:
            yield content[start:end]
        wanted.discard(kind or b"")
        start = end
    yield content[start:]
