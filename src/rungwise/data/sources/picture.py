"""One image file, decoded: the single path from a file, or its content, to pixels.

The rules: EXIF rotation is applied; one that cannot be read is none. Transparent images are
composited on black, but on white where black would hide what they show. 16-bit grey becomes 8-bit
as round(value / 257), so that 65535 becomes 255; 16-bit colour keeps its high byte, as Pillow reads
it. Palettes are resolved, CMYK and the like become RGB. A file is grey when its mode is, or its
whole palette. Of an animation or a multi-page file the first image counts.
"""

import contextlib
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rungwise.data.sources import signatures
from rungwise.data.sources.bare import bare
from rungwise.data.sources.webp import HEAD_BYTES, claimed_size
from rungwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".bmp", ".gif", ".webp"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
"""A file that ends so is an image file, and an unreadable one where its content is no image."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What Pillow may try; formats that start other programs, such as EPS, are not among them."""

LARGEST_PIXELS = 64_000_000
LARGEST_FILE_BYTES = 2**28
"""An uncompressed image of 64 megapixels has less."""

_CAMERA_RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mos", ".nef", ".nrw"),
        *(".orf", ".pef", ".raw", ".rw2", ".sr2", ".srf", ".srw"),
    )
)
"""Files that begin as TIFF does, but hold what a camera's sensor saw."""

FAINT = 16
"""Brightness, of 255, within which an image shows nothing to the eye."""

STRIP_ROWS = 256

_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""Pillow's operations by EXIF's orientation."""

_GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"))

ImageSize = int | tuple[int, int]


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of one file.

    Args:
        pixels: uint8, (H, W, 1) for grey or (H, W, 3) for colour.
        mode: Pillow's name for how the file stores them, such as `RGBA`.
        size: (height, width) in the file, after rotation and before any resizing.
        is_on_white: Whether it was composited on white, since black would hide what it shows.
    """

    pixels: NDArray[np.uint8]
    mode: str
    size: tuple[int, int]
    is_on_white: bool = False


def is_image_file(path: str) -> bool:
    """Tell whether a file that is there is an image, by its suffix or else by its first bytes."""
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if suffix in SUFFIXES:
        return True
    if suffix in _CAMERA_RAW:
        return False
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
        return signatures.format_of(file.read(signatures.HEAD_BYTES)) in FORMATS
    return False


def read_picture(
    source: Path | bytes,
    *,
    image_size: ImageSize | None = None,
    channels: int | None = None,
    name: str | None = None,
    most_pixels: int = LARGEST_PIXELS,
) -> Picture:
    """Read an image file.

    Args:
        source: The file, or what a file holds; the content decides the format, not a suffix.
        image_size: Side length, or (height, width), to resize to with Pillow's antialiased
            bilinear filter, without regard to the aspect ratio; None keeps the size.
        channels: 1 or 3 converts to grey or colour; None keeps what the file has.
        name: What messages call the file; its path by default.
        most_pixels: Larger images are refused before they are decoded.

    Raises:
        ConfigError: `image_size` or `channels` is impossible.
        DataError: The file is no image, is damaged, or has more than `most_pixels`.
    """
    from PIL import Image

    size = height_and_width(image_size)
    name = name or (str(source) if isinstance(source, Path) else "the image")
    if channels not in (None, 1, 3):
        raise ConfigError(f"channels is {channels}", expected="1 or 3", fix="pass 1 or 3")
    try:
        content = source if isinstance(source, bytes) else _content(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bombs are refused below; the rest is cosmetic
            if claimed := claimed_size(content[:HEAD_BYTES]):
                _require_moderate(claimed, source, name, most_pixels)
            with Image.open(io.BytesIO(bare(content)), formats=FORMATS) as image:
                _require_moderate(image.size, source, name, most_pixels)
                mode = image.mode
                plain, is_on_white = _plain(_upright(image))
    except Image.DecompressionBombError as error:
        raise _too_large("more than 64", source, name, most_pixels) from error
    except DataError:
        raise
    except Exception as error:  # Pillow's plugins raise every kind of error on damaged files
        raise _unreadable(source, name, error) from error
    original = (plain.height, plain.width)
    if channels is not None:
        plain = plain.convert("L" if channels == 1 else "RGB")
    if size is not None and size != original:
        plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    values = np.array(plain)
    return Picture(values.reshape(*values.shape[:2], -1), mode, original, is_on_white)


def height_and_width(image_size: ImageSize | None) -> tuple[int, int] | None:
    """Return (height, width) for a side length or a pair.

    Raises:
        ConfigError: A side is below 1, or the image would have more than 64 megapixels.
    """
    if image_size is None:
        return None
    pair = tuple(image_size) if isinstance(image_size, tuple | list) else (image_size, image_size)
    whole = len(pair) == 2 and all(isinstance(side, int | np.integer) for side in pair)
    pair = tuple(map(int, pair)) if whole else pair
    if not whole or min(pair) < 1 or pair[0] * pair[1] > LARGEST_PIXELS:
        raise ConfigError(
            f"the image size is {image_size!r}",
            expected="a side length in pixels, or height and width, each at least 1",
            fix="pass for example 32",
        )
    return pair[0], pair[1]


def _upright(image: "Image.Image") -> "Image.Image":
    """Return `image` turned as its EXIF says; where that cannot be read, as it is."""
    from PIL import ExifTags, Image

    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow raises every kind of error on damaged EXIF
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image.transpose(Image.Transpose[turn]) if turn else image


def _plain(image: "Image.Image") -> tuple["Image.Image", bool]:
    """Return `image` in mode L or RGB, and whether it lies on white: else on black, if on any."""
    from PIL import Image

    if image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image))), False
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, of unknown range")
    target = "L" if image.mode in _GREY_MODES or _has_grey_palette(image) else "RGB"
    if not image.has_transparency_data:
        return image.convert(target), False
    see_through = image if image.mode == "RGBA" else image.convert("RGBA")
    on_black = _composited(see_through, target, 0)
    if _contrast(on_black) >= FAINT:
        return on_black, False
    on_white = _composited(see_through, target, 255)
    is_on_white = _contrast(on_white) >= FAINT
    return (on_white if is_on_white else on_black), is_on_white


def _composited(see_through: "Image.Image", target: str, ground: int) -> "Image.Image":
    """Lay `see_through` on a ground, in strips: whole copies of a large one take much memory."""
    from PIL import Image

    channels = (ground,) * (1 if target == "L" else 3)
    width, height = see_through.size
    whole = Image.new(target, see_through.size, channels)
    for top in range(0, height, STRIP_ROWS):
        box = (0, top, width, min(top + STRIP_ROWS, height))
        strip = see_through.crop(box)
        whole.paste(strip.convert("RGB").convert(target), box, mask=strip.getchannel("A"))
    return whole


def _contrast(image: "Image.Image") -> int:
    """Return by how much a channel differs at most within `image`."""
    return max(int(np.ptp(image.getchannel(band).getextrema())) for band in image.getbands())


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels are 32-bit numbers, outside 0..65535")
    narrow = np.empty(values.shape, np.uint8)
    for row, wide in zip(narrow, values, strict=True):
        row[:] = (wide.astype(np.int64) + 128) // 257
    return narrow


def _has_grey_palette(image: "Image.Image") -> bool:
    if image.mode not in ("P", "PA"):
        return False
    colours = np.array(image.getpalette("RGB")).reshape(-1, 3)
    used = np.flatnonzero(image.histogram()[: len(colours)])
    return bool((colours[used] == colours[used, :1]).all())


def _content(path: Path) -> bytes:
    """Return what a file holds; what could be read for ever, such as a pipe, is refused."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is no file")
    if facts.st_size > LARGEST_FILE_BYTES:
        raise ValueError(f"it has {facts.st_size:,} bytes, more than {LARGEST_FILE_BYTES:,}")
    return path.read_bytes()


def _require_moderate(
    size: tuple[int, int], source: Path | bytes, name: str, most_pixels: int
) -> None:
    pixels = size[0] * size[1]
    if pixels > most_pixels:
        raise _too_large(f"{pixels / 1e6:.4g}", source, name, most_pixels)


def _too_large(megapixels: str, source: Path | bytes, name: str, most_pixels: int) -> DataError:
    return DataError(
        f"{name} has {megapixels} megapixels",
        expected=f"at most {most_pixels / 1e6:g} megapixels; rungwise is for small images",
        fix=f"shrink the {_otherwise(source)}",
    )


def _reason(source: Path | bytes, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        content = source if isinstance(source, bytes) else _content(source)
        kind = signatures.format_of(content[: signatures.HEAD_BYTES])
        if kind is not None and kind not in FORMATS:
            return f"its content is {kind}, which rungwise does not read"
        return "it is not an image" if content else "it is empty"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _unreadable(source: Path | bytes, name: str, error: Exception) -> DataError:
    return DataError(
        f"{name} cannot be read: {_reason(source, error)}",
        expected="a whole PNG, JPEG, BMP, GIF, WebP, TIFF or PPM file",
        fix=f"replace the {_otherwise(source)}",
    )


def _otherwise(source: Path | bytes) -> str:
    return "file, or take it out of the folder" if isinstance(source, Path) else "image"
