"""Does any file end rungwise in a traceback, take it too long or too much memory, or leave halves?

Makes files of every format that rungwise reads: sound ones with bytes or values altered at random,
and bombs that are made to harm their reader. For each, a process of its own gives the command that
a user would give. The answer has to be a right result (exit code 0) or a named error (1, 2 or 3),
within 10 seconds of processor time and 1.5 GB of memory, and no file may be left half-written.

The processes are forked from one that has imported rungwise and computed nothing; one in
`FRESH_EVERY` is a fresh interpreter instead. Where several processes share a processor the clock
says nothing of a reader, so processor time is limited; the clock too, at three times as much.

Command: python benchmarks/hostile_files.py RESULT.json [--count 2000] [--seed 0] [--only npz,csv]
Exit code 1 if there was any fault.
"""

import argparse
import contextlib
import gzip
import io
import itertools
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

SECONDS, MEMORY = 10.0, 1_500_000_000
CLOCK_SECONDS = 3 * SECONDS
ADDRESS_SPACE = 6 * 2**30
"""Far above the limit, for a reader that takes memory faster than it is watched."""

FRESH_EVERY = 50
COMMAND = (sys.executable, "-m", "rungwise")
TRACEBACK = "Traceback (most recent call last)"
SIDE, IMAGES = 16, 12

Verdict = Literal["right", "named", "traceback", "slow", "large", "half-written"]
FAULTS: tuple[Verdict, ...] = ("traceback", "slow", "large", "half-written")


class Case(NamedTuple):
    """One hostile file.

    Args:
        format: What it claims to be.
        what: How it was made.
        content: What it holds.
    """

    format: str
    what: str
    content: bytes


class Format(NamedTuple):
    """A kind of file.

    Args:
        sound: Contents of sound files.
        bombs: Yields crafted ones by name.
        place: Where the file lies in a case's folder.
        words: The command that reads it.
        altered: Changes a sound content at random.
    """

    sound: tuple[bytes, ...]
    bombs: Callable[[], Iterator[tuple[str, bytes]]]
    place: str
    words: tuple[str, ...]
    altered: Callable[[bytes, random.Random], bytes]


class Outcome(NamedTuple):
    """What came of a case."""

    verdict: Verdict
    code: int
    seconds: float
    bytes: int
    said: str


# --- sound files -------------------------------------------------------------------------------


def picture(number: int = 0, channels: int = 3) -> Image.Image:
    """Return a small noisy image."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, channels), np.uint8)
    return Image.fromarray(pixels.squeeze())


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    """Return what a file of an image holds."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def sound_images() -> tuple[bytes, ...]:
    """Return an image in all formats and modes."""
    colour, grey = picture(), picture(channels=1)
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (16, 16), np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    return (
        encoded(colour, "PNG"),
        encoded(colour.convert("RGBA"), "PNG"),
        encoded(colour.convert("P"), "PNG", transparency=0),
        encoded(wide, "PNG"),
        encoded(grey.convert("1"), "PNG"),
        encoded(colour, "JPEG", exif=turned.tobytes()),
        encoded(colour.convert("CMYK"), "JPEG"),
        encoded(grey, "JPEG", progressive=True),
        encoded(colour, "BMP"),
        encoded(colour.convert("P"), "GIF"),
        encoded(colour, "GIF", save_all=True, append_images=[picture(1)]),
        encoded(colour, "WEBP", lossless=True),
        encoded(colour.convert("RGBA"), "WEBP"),
        encoded(colour, "TIFF", compression="tiff_lzw"),
        encoded(colour, "TIFF", compression="tiff_deflate"),
        encoded(wide, "TIFF"),
        encoded(colour, "PPM"),
        encoded(grey, "PPM"),
        b"P3\n2 2\n255\n" + b"1 2 3 " * 4,
    )


def table_of_images(rows: int = IMAGES) -> bytes:
    """Return a CSV table of the images that lie beside it."""
    lines = [f"{number}.png,{'cat' if number % 2 else 'dog'},train" for number in range(rows)]
    return "\n".join(["path,label,split", *lines, ""]).encode()


def arrays() -> bytes:
    """Return an `.npz` archive."""
    buffer = io.BytesIO()
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    np.savez_compressed(buffer, images=images, labels=np.arange(20) % 2)
    return buffer.getvalue()


def idx_images(count: int = 10) -> bytes:
    """Return MNIST's format: images of 4×4 pixels."""
    return struct.pack(">HBBIII", 0, 8, 3, count, 4, 4) + bytes(range(16)) * count


def cifar_archive() -> bytes:
    """Return an archive as CIFAR-10's, with a few records in each file."""
    return packed_tar(
        [
            (tarfile.TarInfo(f"cifar-10-batches-bin/{name}"), bytes([number]) + bytes(3072))
            for number, name in enumerate(
                (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
            )
        ]
    )


def packed_tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a compressed tar archive; a member may claim another size than its content has."""
    blocks = []
    for info, content in members:
        info.size = info.size or len(content)
        padding = bytes(-len(content) % tarfile.BLOCKSIZE)
        blocks.append(info.tobuf(tarfile.GNU_FORMAT) + content + padding)
    return gzip.compress(b"".join(blocks) + bytes(1024), 1)


def parquet(columns: dict[str, Any], **settings: Any) -> bytes:
    """Return a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), buffer, **settings)
    return buffer.getvalue()


# --- alterations -------------------------------------------------------------------------------


def altered_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a content with some bytes changed, cut, doubled or put in."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(changed) + 1)
        match rng.randrange(7):
            case 0 if place < len(changed):
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                del changed[place:]
            case 2:
                del changed[place : place + rng.randrange(1, 64)]
            case 3:
                changed[place:place] = rng.randbytes(rng.randrange(1, 64))
            case 4:
                changed[place : place + 4] = rng.choice(
                    (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff")
                )
            case 5:
                changed[place:place] = changed[: rng.randrange(1, 256)]
            case _:
                changed += rng.randbytes(rng.randrange(1, 256))
    return bytes(changed)


STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 1e308, float("nan"), "", "x" * 10_000, "-inf", "\ud800"),
    *([], {}, [[]], {"name": {}}, [None] * 100, ["a", 1]),
    json.loads("[" * 200 + "]" * 200),
)


def altered_json(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON text with a value dropped or replaced somewhere, or with bytes altered."""
    if rng.random() < 0.3:
        return altered_bytes(content, rng)
    lines = content.splitlines() if content.count(b"\n{") else [content]
    place = rng.randrange(len(lines))
    value = json.loads(lines[place])
    for _ in range(rng.choice((1, 1, 3))):
        outer, key = rng.choice(list(places_in(value)) or [(None, None)])
        if outer is None or (rng.random() < 0.3 and isinstance(outer, dict)):
            (value if outer is None else outer).pop(key, None)
        else:
            outer[key] = rng.choice(STRANGE)
    lines[place] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n"


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a JSON value as what holds it and its key there."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places_in(value[key])


def altered_yaml(content: bytes, rng: random.Random) -> bytes:
    """Return a YAML text with a value replaced, or with bytes altered."""
    if rng.random() < 0.3:
        return altered_bytes(content, rng)
    lines = content.decode().splitlines()
    place = rng.randrange(len(lines))
    key = lines[place].partition(":")[0]
    strange = ("1e9", "-1", "1000000000", "9" * 30, ".nan", "[]", "{}", "*a", "&a [*a]", "!!int x")
    lines[place] = f"{key}: {rng.choice((*strange, '2024-13-45', '[1000000000]', 'null', 'true'))}"
    return "\n".join(lines).encode()


def altered_weights(content: bytes, rng: random.Random) -> bytes:
    """Return a safetensors file whose description is altered, or whose bytes are."""
    if rng.random() < 0.5:
        return altered_bytes(content, rng)
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    told = json.loads(header["__metadata__"]["rungwise"])
    told.pop("crc32", None)  # as a forger would
    altered = altered_json(json.dumps(told).encode(), rng)
    header["__metadata__"]["rungwise"] = altered.decode(errors="replace")
    return weights_file(header, content[8 + length :])


def weights_file(header: Any, tensors: bytes = b"") -> bytes:
    """Return a safetensors file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


# --- bombs -------------------------------------------------------------------------------------


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (16, 16), kind: int = 2) -> bytes:
    """Return a PNG file of given chunks between its header and its end."""
    header = struct.pack(">IIBBBBB", *size, 16 if kind == 16 else 8, kind % 16, 0, 0, 0)
    whole = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in whole
    )


def pixels(count: int) -> tuple[bytes, bytes]:
    """Return a PNG's chunk of so many zero bytes."""
    return b"IDAT", zlib.compress(bytes(count), 1)


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def image_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield images that are made to harm their reader."""
    sound = pixels(16 * 49)
    jpeg, side = encoded(picture(), "JPEG"), 8000
    yield "a PNG that claims 50,000×50,000 pixels", png(sound, size=(50_000, 50_000))
    yield "a PNG whose pixels go on", png(pixels(300_000_000))
    yield "a PNG with 100 MB of text", png((b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))), sound)
    yield (
        "a PNG with a profile of 100 MB",
        png((b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))), sound),
    )
    yield "a PNG of a million empty chunks", png(*[(b"prVt", b"")] * 1_000_000, sound)
    yield "a PNG of 300,000 empty pieces of pixels", png(*[(b"IDAT", b"")] * 300_000, sound)
    yield "64 megapixels in colour", png(pixels(side * (1 + 3 * side)), size=(side, side))
    yield (
        "64 megapixels, transparent",
        png(pixels(side * (1 + 4 * side)), size=(side, side), kind=6),
    )
    yield "64 megapixels of 16 bits", png(pixels(side * (1 + 2 * side)), size=(side, side), kind=16)
    exif = segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + bytes(65_000))
    yield "a JPEG with 130 MB of EXIF", jpeg[:2] + exif * 2000 + jpeg[2:]
    yield "a JPEG with 60 MB of comments", jpeg[:2] + segment(0xFE, bytes(65_000)) * 900 + jpeg[2:]
    frame = jpeg.index(b"\xff\xc0")
    claims = jpeg[: frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 :]
    yield "a JPEG that claims 65,535×65,535 pixels", claims
    within = jpeg[: frame + 5] + struct.pack(">HH", side, side) + jpeg[frame + 9 :]
    yield "a JPEG that claims 64 megapixels and has few", within
    comments = b"#" + b"x" * 50_000_000 + b"\n"
    yield "a PPM with 50 MB of comment", b"P6\n" + comments + b"16 16\n255\n" + bytes(768)
    yield "a PPM with 20 million comments", b"P6\n" + b"#\n" * 20_000_000 + b"16 16\n255\n"
    yield "a plain PPM of comments", b"P3\n16 16\n255\n" + b"#x\n" * 10_000_000
    yield "a plain PPM of one number", b"P3\n16 16\n255\n" + b"1" * 50_000_000
    yield "a plain PPM of blanks", b"P3\n16 16\n255\n" + b" " * 50_000_000
    yield "a PPM that claims 64 megapixels", b"P6 8000 8000 255\n" + bytes(1000)
    gif = encoded(picture().convert("P"), "GIF")
    yield "a GIF that claims a canvas of 65,535×65,535", gif[:6] + b"\xff" * 4 + gif[10:]
    extension = b"\x21\xfe" + (b"\xff" + bytes(255)) * 50_000 + b"\0"
    yield "a GIF with 12 MB of comment", gif[:-1] + extension + b";"
    yield "a GIF of 50,000 frames", gif[:13] + gif[13:-1] * 5000 + b";"
    webp = encoded(picture(), "WEBP", lossless=True)
    yield "a WebP that claims 16,384×16,384", webp[:21] + b"\xff\xff\xff\x0f" + webp[25:]
    for tag, kind, count in ((256, 4, 1), (273, 4, 2**31), (279, 16, 2**28), (270, 2, 2**32 - 1)):
        entry = struct.pack("<HHII", tag, kind, count, 0xFFFFFFF0)
        yield f"a TIFF whose tag {tag} is absurd", b"II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    yield "a TIFF whose directory is its own next", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    entries = b"".join(struct.pack("<HHII", 256 + i, 4, 1, 60_000) for i in range(60_000))
    yield "a TIFF of 60,000 tags", b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entries
    bmp = encoded(picture(), "BMP")
    yield "a BMP that claims 30,000×2,000", bmp[:18] + struct.pack("<ii", 30_000, 2000) + bmp[26:]
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n{} loop\n"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="1e9" height="1e9"/></svg>'


def csv_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield tables that are made to harm their reader."""
    yield "a million columns", b"path,label" + b",x" * 1_000_000 + b"\n0.png,cat\n"
    yield "a line of 100 MB", b"path,label\n" + b"x" * 10**8
    yield "a quote that never ends", b'path,label\n"' + b"x\n" * 20_000_000
    yield "5 million blank lines", b"path,label\n" + b"\n" * 5_000_000
    yield "no end of separators", b"path,label\n" + b"," * 900_000 + b"\n0.png,cat\n"
    yield "zero bytes", b"path,label\n0.png,\0\n" + bytes(1000)
    yield "UTF-16", "path,label\n0.png,cat\n".encode("utf-16")
    yield "a column twice", b"path,path,label\n0.png,1.png,cat\n"
    rows = b"".join(b"%d.png,%d\n" % (i % IMAGES, i) for i in range(50_000))
    yield "50,000 labels", b"path,label\n" + rows
    rows = b"".join(b"gone/%d.png,%d\n" % (i, i % 2) for i in range(100_000))
    yield "100,000 files that are gone", b"path,label\n" + rows
    yield "paths of all kinds", b"path,label\n/dev/zero,a\n/dev/stdin,b\n../../..,a\n,b\n~,a\n.,b\n"
    yield "a name of a megabyte", b"path,label\n" + b"x" * 900_000 + b".png,a\n0.png,b\n"


def npz_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield archives of arrays that are made to harm their reader."""

    def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return buffer.getvalue()

    def array(text: str, data: bytes = b"") -> bytes:
        head = text.encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + data

    def header(kind: str, shape: str) -> str:
        return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"

    labels = array(header("<i8", "(2,)"), bytes([0] * 8 + [1] + [0] * 7))
    for what, text in (
        ("claims 10^11 elements", header("|u1", "(100000000000,)")),
        ("claims a negative size", header("|u1", "(-1, 8, 8)")),
        ("claims 10^40 elements", header("|u1", f"({10**40}, 8, 8)")),
        ("has 100 axes", header("|u1", f"({'1, ' * 100})")),
        ("holds Python objects", header("|O", "(2,)")),
        ("is of an unknown type", header("|z9", "(2,)")),
        ("is of a structure", header("", "(2,)").replace("''", "[('a', '<i4'), ('b', '<f8')]")),
        ("does not parse", "{'descr': "),
        ("is nested", "(" * 100 + ")" * 100),
        ("is a call", "__import__('os').abort()"),
    ):
        yield f"an array that {what}", archive({"images.npy": array(text), "labels.npy": labels})
    zeros = array(header("|u1", "(1000000000,)"), bytes(1))
    yield "an array cut off", archive({"images.npy": zeros, "labels.npy": labels})
    big = array(header("|u1", "(10000, 100, 1000)"), bytes(10**9))
    yield "a gigabyte of zeros", archive({"images.npy": big, "labels.npy": labels})
    del big
    yield "50,000 members", archive({f"{i}.npy": labels for i in range(50_000)})
    yield "members that are no arrays", archive({"images.txt": b"x", "labels": b"", "a/": b""})
    yield "no members", archive({})
    yield "a bzip2 archive", archive({"images.npy": labels}, zipfile.ZIP_BZIP2)
    yield "an LZMA archive", archive({"images.npy": labels}, zipfile.ZIP_LZMA)
    sound = arrays()
    for method in (6, 9, 99):
        yield f"compression {method}", sound.replace(b"\x08\0", bytes([method, 0]))
    local, central = sound.index(b"PK\x03\x04") + 6, sound.index(b"PK\x01\x02") + 8
    for place in (local, central):
        sound = sound[:place] + bytes([sound[place] | 1]) + sound[place + 1 :]
    yield "an encrypted archive", sound


def yaml_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield recipes that are made to harm their reader."""
    yield "nested lists", b"model: " + b"[" * 100_000
    yield "nested keys", b"".join(b" " * i + b"a:\n" for i in range(400))
    aliases = "".join(f"a{i + 1}: &a{i + 1} [{f'*a{i}, ' * 9}]\n" for i in range(9))
    yield "aliases without end", f"a0: &a0 [x]\n{aliases}model: *a9\n".encode()
    yield "an alias of itself", b"model: &a [*a]\n"
    yield "a long text, repeated", b"a: &a " + b"x" * 90_000 + b"\nmodel: [" + b"*a," * 3000 + b"]"
    yield "100,000 digits", b"model: mlp\nepochs: " + b"9" * 100_000
    yield "90,000 hexadecimal digits", b"model: mlp\nepochs: 0x" + b"f" * 90_000
    yield "90,000 sexagesimal digits", b"model: mlp\nepochs: 1" + b":1" * 45_000
    yield "50,000 keys", b"".join(b"key%d: 1\n" % i for i in range(50_000))
    yield "5,000 keys", b"".join(b"key%d: 1\n" % i for i in range(5_000))
    for tag in ("int", "float", "bool", "timestamp", "binary", "set", "omap", "python/object:os.x"):
        yield f"a strange {tag}", f"model: !!{tag} x".encode()
    whole = 10**9
    for model in (
        f"{{name: mlp, hidden_widths: [{whole}]}}",
        f"{{name: mlp, hidden_widths: [{', '.join(['100000'] * 900)}]}}",
        "{name: mlp, hidden_widths: [100000, 100000, 100000]}",
        f"{{name: compact, depth: {whole}}}",
        f"{{name: compact, widths: [{whole}, {whole}, {whole}]}}",
        "{name: compact, widths: [90000, 90000, 90000]}",
        f"{{name: compact, border: {whole}}}",
        f"{{name: compact, whitened_patch: {whole}}}",
        "{name: cnn, conv_widths: [30000, 30000], border: 900}",
        f"{{name: vgg-deep, dense_width: {whole}}}",
        f"{{name: multitask, conv_width: {10**18}}}",
        f"{{name: two-branch, fusion_width: {whole}}}",
    ):
        yield f"the model {model[:60]}", f"model: {model}\n".encode()
    for setting in (
        f"epochs: {10**18}",
        f"batch_size: {10**18}",
        f"batch_size: {whole}",
        f"ensemble: [{{count: {whole}}}]",
        f"augment: [{{name: shift, pixels: {10**18}}}]",
        f"views: {{name: random-copies, copies: {whole}}}\naugment: [shift]",
        f"optimizer: {{name: muon, iterations: {whole}}}",
        f"schedule: {{name: cyclic-cosine, cycles: {whole}}}",
        f"techniques: [{{name: snapshots, count: {whole}}}]",
    ):
        yield f"the setting {setting[:60]}", f"model: mlp\n{setting}\n".encode()


def json_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield records that are made to harm their reader."""
    yield "nested lists", b"[" * 1_000_000
    yield "nested keys", b'{"rungs": ' * 100_000
    yield "closed nested lists", b"[" * 900 + b"]" * 900
    yield "100,000 digits", b'{"seed": ' + b"9" * 100_000 + b"}"
    yield "50,000 keys", json.dumps({str(i): i for i in range(50_000)}).encode()
    yield "30 million empty lists", b"[" + b"[]," * 30_000_000 + b"[]]"
    yield "90 MB of text", b'"' + b"x" * 90_000_000 + b'"'
    for content in (b"", b"null", b"[]", b"{}", b"3", b"\xff\xfe", b'"\\ud800"', bytes(1000)):
        yield f"{content[:12]!r}", content


def idx_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield files of MNIST's format that are made to harm their reader."""
    yield "a small header and a bomb", gzip.compress(idx_images() + bytes(400_000_000), 1)
    claims = struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    yield "a header that claims 10^28 bytes", gzip.compress(claims + bytes(600_000_000), 1)
    yield "255 axes", gzip.compress(struct.pack(">HBB", 0, 8, 255) + bytes([0, 0, 0, 1] * 255))
    yield "300,000 members", gzip.compress(idx_images()) + gzip.compress(b"") * 300_000
    yield "a name of 50 MB", b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 50_000_000
    yield "no images", gzip.compress(idx_images(0))


def cifar_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield archives that are made to harm their reader."""

    def member(kind: bytes, size: int = 0, name: str = "a", link: str = "") -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, size, link
        return info

    for what, kind in (("pax header", tarfile.XHDTYPE), ("long name", tarfile.GNUTYPE_LONGNAME)):
        yield f"a {what} of 2 GB", packed_tar([(member(kind, 2**31), bytes(300_000_000))])
        yield f"a {what} of 20 MB", packed_tar([(member(kind), b"1 a=b\n" * 3_500_000)])
    yield "a member of 20 GB", packed_tar([(member(tarfile.GNUTYPE_SPARSE, 20 * 2**30), b"")])
    empty = member(tarfile.REGTYPE).tobuf(tarfile.GNU_FORMAT)
    yield "500,000 members", gzip.compress(empty * 500_000, 1)
    links = [(member(tarfile.SYMTYPE, name=f"l{i}", link=f"l{i + 1}"), b"") for i in range(2000)]
    yield "a chain of links", packed_tar(links)
    yield "a path out", packed_tar([(member(tarfile.REGTYPE, name="../x"), b"x")])
    yield "a terabyte of zeros, as far as it is read", gzip.compress(bytes(400_000_000), 1)


def weight_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield files of weights that are made to harm their reader."""
    yield "a header of 2^63 bytes", struct.pack("<Q", 2**63) + b"{}"
    yield "a header of 80 MB", weights_file(b'{"a":' + b" " * 80_000_000 + b"1}")
    yield "a nested header", weights_file(b'{"a":' + b"[" * 100_000)
    yield "nested metadata", weights_file({"__metadata__": {"rungwise": "[" * 100_000}})
    digits = '{"format": ' + "9" * 100_000 + "}"
    yield "100,000 digits", weights_file({"__metadata__": {"rungwise": digits}})
    tensor = {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]}
    yield "a tensor of 8 GB that is not there", weights_file({"0.a": tensor}, bytes(100))
    overflow = {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 0]}
    yield "a tensor of 10^37 bytes", weights_file({"0.a": overflow})
    many = {str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}
    yield "200,000 tensors", weights_file(many)
    recipe = {"name": "r", "model": {"name": "mlp", "hidden_widths": [40_000, 40_000]}}
    told = {"format": 1, "recipe": recipe, "members": [recipe] * 1000, "class_names": ["a", "b"]}
    told |= {"shape": [1, 8, 8], "resizes": False}
    yield (
        "a recipe of 1,000 large nets",
        weights_file({"__metadata__": {"rungwise": json.dumps(told)}}),
    )


def parquet_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield Parquet files that are made to harm their reader."""
    import pyarrow as pa

    labels = ["a", "b"] * 25
    image = encoded(picture(), "PNG")
    zeros = bytes(20_000_000)
    yield "50 images of 20 MB, stored once", parquet({"image": [zeros] * 50, "label": labels})
    yield (
        "a page that unpacks to 900 MB",
        parquet({"image": [bytes(450_000_000)] * 2, "label": labels[:2]}, compression="zstd"),
    )
    names = pa.array(["0.png"]).take(pa.array(np.zeros(3_000_000, np.int32)))
    yield "3 million rows of one path", parquet({"path": names, "label": names})
    wide = {f"c{i}": [1] for i in range(20_000)}
    yield "20,000 columns", parquet({"image": [image], "label": ["a"], **wide})
    nested: Any = pa.array([1])
    for _ in range(60):
        nested = pa.StructArray.from_arrays([nested], ["a"])
    yield "a nested column", parquet({"image": nested, "label": ["a"]})
    schema = pa.schema(
        [("image", pa.binary()), ("label", pa.int64())],
        metadata={b"huggingface": b'{"info": ' * 50_000},
    )
    table = pa.table({"image": [image] * 2, "label": [0, 1]}, schema=schema)
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    yield "nested metadata", buffer.getvalue()
    yield "no rows", parquet({"image": pa.array([], pa.binary()), "label": pa.array([], pa.utf8())})
    yield "nothing in its rows", parquet({"image": [None, None], "label": [None, None]})
    sound = parquet({"image": [image] * 50, "label": labels})
    yield "a footer of 4 GB", sound[:-8] + b"\xff\xff\xff\xff" + sound[-4:]
    for place in range(4, 400, 4):  # where the headers of pages are
        yield f"byte {place} is 255", sound[:place] + b"\xff" + sound[place + 1 :]


# --- what is asked -----------------------------------------------------------------------------


def prepare(base: Path) -> None:
    """Train two small runs and compare them in other processes: this one must not compute."""
    common = ("train", "digits@8", "--epochs", "1", "--quiet", "--out", "runs")
    for hidden in (8, 9):
        recipe = base / f"mlp{hidden}.yaml"
        recipe.write_text(f"name: mlp{hidden}\nmodel: {{name: mlp, hidden_widths: [{hidden}]}}\n")
        run_fresh(base, (*common, "--recipe", recipe.name))
    run_fresh(base, ("compare", *map(str, runs_in(base))))
    write_images(base)
    shown = ("train", "./photos", "--image-size", "16", "--epochs", "1", "--quiet")
    run_fresh(base, (*shown, "--recipe", "mlp8.yaml", "--out", "shown"))
    next(base.glob("shown/*/*/seed-0/model.safetensors")).rename(base / "shown.safetensors")
    shutil.rmtree(base / "shown")


def write_images(folder: Path) -> None:
    """Write small images: beside each other, and as a folder of two classes."""
    for number in range(IMAGES):
        picture(number).save(folder / f"{number}.png")
        place = folder / "photos" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(place)


def run_fresh(folder: Path, words: tuple[str, ...]) -> None:
    """Give a command that has to succeed."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr}")


def runs_in(base: Path) -> list[Path]:
    """Return the finished runs, relative to the folder that they were made in."""
    return sorted(
        path.parent.relative_to(base) for path in base.glob("runs/*/*/seed-0/summary.json")
    )


def environment(folder: Path) -> dict[str, str]:
    """Return a process's environment: caches of its own, one thread."""
    own = {"RUNGWISE_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, "RUNGWISE_DATA": str(folder / "data"), "NO_COLOR": "1"}


def formats(base: Path) -> dict[str, Format]:
    """Return all kinds of files, sound ones among them."""
    run = str(runs_in(base)[0])
    climb = str(next(base.glob("runs/climbs/*/climb.json")).parent.relative_to(base))
    model = f"{run}/model.safetensors"
    found = {
        "image": Format(
            sound_images(),
            image_bombs,
            "x.img",
            ("predict", "shown.safetensors", "x.img"),
            altered_bytes,
        ),
        "folder": Format(
            sound_images(),
            image_bombs,
            "photos/a/x.png",
            ("data", "check", "photos"),
            altered_bytes,
        ),
        "csv": Format(
            (table_of_images(),), csv_bombs, "x.csv", ("data", "check", "x.csv"), altered_bytes
        ),
        "npz": Format((arrays(),), npz_bombs, "x.npz", ("data", "check", "./x.npz"), altered_bytes),
        "recipe": Format(
            tuple((base / place).read_bytes() for place in ("mlp8.yaml", f"{run}/recipe.yaml")),
            yaml_bombs,
            "x.yaml",
            ("train", "digits@8", "--recipe", "x.yaml", "--epochs", "1", "--quiet"),
            altered_yaml,
        ),
        "idx": Format(
            (gzip.compress(idx_images()), idx_images()),
            idx_bombs,
            "x.gz",
            ("read_idx",),
            altered_bytes,
        ),
        "cifar": Format(
            (cifar_archive(),), cifar_bombs, "x.tar.gz", ("read_cifar",), altered_bytes
        ),
        "weights": Format(
            ((base / model).read_bytes(),),
            weight_bombs,
            "x.safetensors",
            ("predict", "x.safetensors", "0.png", "--json"),
            altered_weights,
        ),
    }
    records = {
        "climb.json": (f"{climb}/climb.json", ("report", climb)),
        "circumstances.json": (f"{climb}/circumstances.json", ("report", climb)),
        "results.jsonl": (f"{climb}/results.jsonl", ("report", climb)),
        "summary.json": (f"{run}/summary.json", ("evaluate", run)),
        "summary.json, listed": (f"{run}/summary.json", ("runs", "list")),
        "environment.json": (f"{run}/environment.json", ("runs", "list")),
        "ledger.jsonl": ("runs/ledger.jsonl", ("evaluate", run)),
    }
    for name, (place, words) in records.items():
        sound = (base / place).read_bytes() if (base / place).exists() else LEDGER
        found[name] = Format((sound,), json_bombs, place, words, altered_json)
    with contextlib.suppress(ImportError):
        image = encoded(picture(), "PNG")
        found["parquet"] = Format(
            (
                parquet({"image": [image] * 4, "label": ["a", "b"] * 2}),
                parquet({"path": [f"{i}.png" for i in range(4)], "label": [0, 1, 0, 1]}),
                parquet({"image": [{"bytes": image, "path": "x"}] * 4, "label": ["a", "b"] * 2}),
            ),
            parquet_bombs,
            "x.parquet",
            ("data", "check", "x.parquet"),
            altered_bytes,
        )
    return found


LEDGER = b'{"time": "2026-01-01T00:00:00+00:00", "data": "digits", "test": "0", "what": "x"}\n'


def cases(kinds: dict[str, Format], count: int, seed: int) -> Iterator[Case]:
    """Yield all bombs, then altered files of the formats in turn, `count` in all."""
    rng = random.Random(seed)
    bombs = (
        Case(name, what, content) for name, kind in kinds.items() for what, content in kind.bombs()
    )
    altered = (
        Case(name, f"altered, number {number}", kind.altered(rng.choice(kind.sound), rng))
        for number in itertools.count()
        for name, kind in kinds.items()
    )
    # A small count is a sample of both.
    chosen = bombs if count >= 1000 else itertools.islice(bombs, 0, None, max(1, 400 // count))
    yield from itertools.islice(itertools.chain(chosen, altered), count)


def lay_out(folder: Path, base: Path, kind: Format, content: bytes) -> None:
    """Fill a case's folder: what was trained, images, and the hostile file."""
    shutil.copytree(base, folder, dirs_exist_ok=True)
    (folder / kind.place).write_bytes(content)


def ask(words: tuple[str, ...]) -> None:
    """Give a command, or read a file with a reader that a named set would use."""
    from rungwise.errors import RungwiseError

    if words[0] in ("read_idx", "read_cifar"):
        from rungwise.data.sources.cifar import read_cifar
        from rungwise.data.sources.idx import read_idx

        try:
            if words[0] == "read_idx":
                read_idx(Path("x.gz"))
            else:
                read_cifar(Path("x.tar.gz"), tuple("abcdefghij"))
        except RungwiseError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        return
    from rungwise.interfaces.cli.app import main

    sys.argv = ["rungwise", *words]
    main()


def child(folder: Path, words: tuple[str, ...]) -> None:
    """Be the process of a case: never returns."""
    code = 0
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(environment(folder))
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        ask(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Server:
    """A process that has imported rungwise, computed nothing and holds no file: it asks.

    A fork begins with the memory of what it was forked from, so that must not make the files.
    """

    def __init__(self) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        if os.fork() == 0:
            os.close(self._requests)
            warm_up()
            with open(requests) as lines, open(answers, "w", buffering=1) as out:  # noqa: PTH123
                for line in lines:
                    folder, words, fresh = json.loads(line)
                    found = watched(started(Path(folder), tuple(words), fresh=fresh))
                    print(json.dumps(found), file=out)
            os._exit(0)
        os.close(requests)
        os.close(answers)
        self._lines = open(self._answers)  # noqa: SIM115, PTH123

    def asked(self, folder: Path, words: tuple[str, ...], fresh: bool) -> Any:
        """Return what `watched` finds of a command given in a folder."""
        os.write(self._requests, (json.dumps([str(folder), words, fresh]) + "\n").encode())
        return json.loads(self._lines.readline())

    def close(self) -> None:
        """Let the process end."""
        os.close(self._requests)
        self._lines.close()
        os.wait()


def started(folder: Path, words: tuple[str, ...], *, fresh: bool) -> int:
    """Start a case's process, forked or fresh, and return its number."""
    if fresh and not words[0].startswith("read_"):
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as error:
            return subprocess.Popen(
                [*COMMAND, *words],
                cwd=folder,
                env=environment(folder),
                stdout=out,
                stderr=error,
                start_new_session=True,
            ).pid
    pid = os.fork()
    if pid == 0:
        child(folder, words)
    return pid


def watched(pid: int) -> tuple[int, float, int, bool]:
    """Wait for a process; kill it beyond the limits.

    Returns:
        Its exit code (below 0 for a signal), processor seconds and largest memory with its own
        processes, and whether it took too long.
    """
    began, largest, is_slow = time.monotonic(), 0, False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            break
        processes = [pid, *children_of(pid)]
        largest = max(largest, sum(map(memory_of, processes)))
        is_slow = time.monotonic() - began > CLOCK_SECONDS
        if is_slow or largest > MEMORY or sum(map(seconds_of, processes)) > SECONDS:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            break
        time.sleep(0.01)
    seconds = usage.ru_utime + usage.ru_stime
    largest = max(largest, usage.ru_maxrss * 1024)
    return os.waitstatus_to_exitcode(status), seconds, largest, is_slow or seconds > SECONDS


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started itself."""
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def memory_of(pid: int) -> int:
    """Return how many bytes of memory a process holds."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def seconds_of(pid: int) -> float:
    """Return the processor time that a process has taken."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def judged(case: Case, kind: Format, base: Path, server: Server, *, fresh: bool) -> Outcome:
    """Ask about one file and judge the answer."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        lay_out(folder, base, kind, case.content)
        code, seconds, largest, is_slow = server.asked(folder, kind.words, fresh)
        said = "".join((folder / one).read_text(errors="replace") for one in ("stderr", "stdout"))
        halves = [path.name for path in folder.rglob(".*") if is_half(path)]
        verdict: Verdict
        if largest > MEMORY:
            verdict = "large"
        elif is_slow:
            verdict = "slow"
        elif code not in (0, 1, 2, 3) or TRACEBACK in said or (code and not said.strip()):
            verdict = "traceback"
        elif halves:
            verdict = "half-written"
        else:
            verdict = "named" if code else "right"
        return Outcome(verdict, code, seconds, largest, said)


def is_half(path: Path) -> bool:
    """Tell whether a file or a folder is one that was to be renamed when it is whole."""
    return path.name.endswith(".part") or path.name.startswith((".partial-", ".outdated-"))


def warm_up() -> None:
    """Import all that the commands need, so that a fork has it; nothing is computed."""
    for name in (
        *("interfaces.cli.app", "interfaces.climbing", "interfaces.comparing", "report.climb_page"),
        *("prediction.predictor", "ladder.store", "data.check", "interfaces.cli.judging"),
    ):
        __import__(f"rungwise.{name}")


def run(count: int, seed: int, only: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Ask about `count` files and return what came of them."""
    with (
        contextlib.closing(Server()) as server,
        tempfile.TemporaryDirectory(prefix="hostile-base-") as name,
    ):
        base = Path(name)
        prepare(base)
        kinds = {name: one for name, one in formats(base).items() if not only or name in only}
        totals: Counter[str] = Counter()
        by_format: dict[str, Counter[str]] = {name: Counter() for name in kinds}
        faults = []
        slowest, largest = 0.0, 0
        for number, case in enumerate(cases(kinds, count, seed)):
            fresh = number % FRESH_EVERY == FRESH_EVERY - 1
            outcome = judged(case, kinds[case.format], base, server, fresh=fresh)
            totals[outcome.verdict] += 1
            by_format[case.format][outcome.verdict] += 1
            slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.bytes)
            if outcome.verdict in FAULTS:
                faults.append(
                    {
                        "format": case.format,
                        "what": case.what,
                        "verdict": outcome.verdict,
                        "code": outcome.code,
                        "seconds": round(outcome.seconds, 1),
                        "bytes": outcome.bytes,
                        "said": outcome.said[-1500:],
                    }
                )
                print(f"{case.format}: {case.what}: {outcome.verdict}", file=sys.stderr, flush=True)
    verdicts = ("right", "named", *FAULTS)
    return {
        "files": sum(totals.values()),
        "seed": seed,
        "verdicts": {verdict: totals[verdict] for verdict in verdicts},
        "by_format": {name: dict(counts) for name, counts in by_format.items()},
        "slowest_seconds": round(slowest, 1),
        "largest_bytes": largest,
        "faults": faults,
    }


def main() -> int:
    """Ask about all files, print the counts and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="formats, with commas between them")
    options = parser.parse_args()
    found = run(options.count, options.seed, frozenset(filter(None, options.only.split(","))))
    options.result.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{found['files']} files: " + ", ".join(f"{n} {v}" for v, n in found["verdicts"].items()))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
