"""The size that a WebP file claims, read from its header: Pillow allocates it before telling it.

Source: RFC 9649, "WebP Image Format".
"""

HEAD_BYTES = 30


def claimed_size(head: bytes) -> tuple[int, int] | None:
    """Return (width, height) from the first 30 bytes of a file; None if it is no WebP file.

    >>> claimed_size(b"RIFF....WEBPVP8X............" + b"..") is None
    False
    >>> claimed_size(b"no image") is None
    True
    """
    if len(head) < HEAD_BYTES or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8X":  # with animation, transparency or metadata
        return 1 + _number(head[24:27]), 1 + _number(head[27:30])
    if kind == b"VP8L":  # lossless
        bits = _number(head[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":  # lossy
        return _number(head[26:28]) & 0x3FFF, _number(head[28:30]) & 0x3FFF
    return None


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")
