"""Tests of the path from one image file to pixels."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from rungwise.data.sources.picture import height_and_width, read_picture
from rungwise.data.sources.webp import HEAD_BYTES, claimed_size
from rungwise.errors import ConfigError, DataError

WritePng = Callable[..., Path]
Bomb = Callable[[Path, int, int], Path]

SETTINGS = {"webp": {"lossless": True}}
"""How Pillow has to write a format so that no pixel changes."""


def test_grey_has_one_channel(tmp_path: Path, write_png: WritePng) -> None:
    pixels = read_picture(write_png(tmp_path / "a.png", 7, (2, 3))).pixels
    assert pixels.shape == (2, 3, 1)
    assert pixels.dtype == np.uint8
    assert (pixels == 7).all()


def test_colour_has_three_channels(tmp_path: Path, write_png: WritePng) -> None:
    pixels = read_picture(write_png(tmp_path / "a.png", (1, 2, 3))).pixels
    assert pixels.shape == (4, 4, 3)
    assert pixels[0, 0].tolist() == [1, 2, 3]


def test_sixteen_bits_become_eight_by_rounding(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    # 128 / 257 = 0.498 → 0; 129 / 257 = 0.502 → 1; 32768 / 257 = 127.502 → 128
    assert read_picture(tmp_path / "deep.png").pixels.ravel().tolist() == [0, 0, 1, 128, 255]


def test_transparent_pixels_lie_on_black(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], np.uint8)).save(
        tmp_path / "a.png"
    )
    assert read_picture(tmp_path / "a.png").pixels.tolist() == [[[200, 100, 50], [0, 0, 0]]]


def test_grey_with_alpha_stays_grey(tmp_path: Path) -> None:
    Image.new("LA", (2, 2), (80, 255)).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png").pixels
    assert pixels.shape == (2, 2, 1)
    assert (pixels == 80).all()


@pytest.mark.parametrize(("colour", "channels"), [((90, 90, 90), 1), ((90, 0, 0), 3)])
def test_palette_is_grey_only_if_its_used_colours_are(
    tmp_path: Path, colour: tuple[int, int, int], channels: int
) -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 255, 0, *colour])  # index 0, green, is not used
    image.save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png").pixels
    assert pixels.shape == (2, 2, channels)
    assert pixels[0, 0].tolist() == list(colour)[:channels]


def test_transparent_palette_lies_on_black(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=b"\0\xff")
    assert read_picture(tmp_path / "a.png").pixels.tolist() == [[[0, 0, 0], [0, 0, 255]]]


def test_sixteen_bit_colour_keeps_its_high_bytes(tmp_path: Path) -> None:
    # Pillow cannot write such a file: one pixel, 16 bits a channel, big end first.
    body = zlib.compress(b"\0" + struct.pack(">HHH", 0x01FF, 0x8000, 0xFFFF))
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )
    )
    assert read_picture(path).pixels.tolist() == [[[0x01, 0x80, 0xFF]]]


@pytest.mark.parametrize("suffix", ["gif", "png", "tif", "webp"])
def test_of_several_images_the_first_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **SETTINGS.get(suffix, {}))
    assert read_picture(path).pixels.tolist() == [[[255, 0, 0]] * 2] * 2


def test_all_turns_of_a_camera_are_undone(tmp_path: Path) -> None:
    upright = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
    stored = {3: upright[::-1, ::-1], 6: np.rot90(upright), 8: np.rot90(upright, -1)}
    for orientation, pixels in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "a.png", exif=exif)
        assert read_picture(tmp_path / "a.png").pixels[:, :, 0].tolist() == upright.tolist()


def test_what_could_be_read_for_ever_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match="cannot be read: it is no file"):
            read_picture(path)


def test_one_bit_images_are_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").pixels.ravel().tolist() == [255, 0]


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    image = Image.fromarray(np.array([[10, 20, 30]], np.uint8))
    image.save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png")
    assert picture.size == (3, 1)
    assert picture.pixels.ravel().tolist() == [10, 20, 30]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (2, 2), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
    assert (read_picture(tmp_path / "a.jpg").pixels == 255).all()


def test_resizing_averages_what_it_shrinks(tmp_path: Path) -> None:
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checks).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png", image_size=(4, 8)).pixels
    assert pixels.shape == (4, 8, 1)
    assert abs(pixels.astype(int) - 128).max() < 20  # without antialiasing: 0 or 255


def test_channels_convert(tmp_path: Path, write_png: WritePng) -> None:
    path = write_png(tmp_path / "a.png", (30, 30, 30))
    assert read_picture(path, channels=1).pixels.tolist()[0][0] == [30]
    path = write_png(tmp_path / "b.png", 30)
    assert read_picture(path, channels=3).pixels.tolist()[0][0] == [30, 30, 30]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif", ".webp"])
@pytest.mark.parametrize("side", [8001, 10_000, 20_000, 50_000])  # Pillow: silent, warning, error
def test_too_many_pixels_are_refused_by_the_header(
    tmp_path: Path, suffix: str, side: int, bomb: Bomb
) -> None:
    path = bomb(tmp_path / f"bomb{suffix}", side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"bomb\.\w+ has .*megapixels") as caught:
            read_picture(path)
    assert "64 megapixels" in str(caught.value)
    assert caught.value.fix


def test_a_lower_limit_is_told_with_what_was_found(tmp_path: Path) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "small.png")
    content = (tmp_path / "small.png").read_bytes()

    assert read_picture(content, most_pixels=1200).size == (30, 40)
    with pytest.raises(DataError, match=r"the image has 0\.0012 megapixels") as caught:
        read_picture(content, most_pixels=1199)

    assert caught.value.expected == "at most 0.001199 megapixels; rungwise is for small images"
    assert caught.value.fix == "shrink the image"


def test_a_large_webp_is_refused_before_pillow_allocates_it(
    tmp_path: Path, bomb: Bomb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(DataError, match=r"bomb\.webp has 64\.02 megapixels"):
        read_picture(bomb(tmp_path / "bomb.webp", 8001, 8001))


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_size_that_a_webp_file_claims(tmp_path: Path, mode: str, lossless: bool) -> None:
    path = tmp_path / "a.webp"
    Image.new(mode, (37, 300), 9).save(path, lossless=lossless)
    assert claimed_size(path.read_bytes()[:HEAD_BYTES]) == (37, 300)


@pytest.mark.parametrize("suffix", [".tif", ".gif"])
def test_the_bombs_without_their_claims_are_pictures(
    tmp_path: Path, suffix: str, bomb: Bomb
) -> None:
    assert read_picture(bomb(tmp_path / f"small{suffix}", 4, 4)).size == (4, 4)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    path = tmp_path / "cut.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=r"cut\.png cannot be read"):
        read_picture(path)


def test_text_and_nothing_are_not_images(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match="not an image"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(DataError, match="it is empty"):
        read_picture(tmp_path / "empty.png")
    with pytest.raises(DataError, match="No such file"):
        read_picture(tmp_path / "none.png")


def test_numbers_of_unknown_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(np.full((2, 2), 70_000, np.int32)).save(tmp_path / "wide.tif")
    with pytest.raises(DataError, match="floating-point"):
        read_picture(tmp_path / "float.tif")
    with pytest.raises(DataError, match="32-bit"):
        read_picture(tmp_path / "wide.tif")


def test_every_byte_flip_gives_pixels_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(noise).save(path)
        whole = path.read_bytes()
        for position in rng.integers(0, len(whole), 40).tolist():
            broken = bytearray(whole)
            broken[position] ^= int(rng.integers(1, 256))
            path.write_bytes(broken)
            try:
                assert read_picture(path).pixels.dtype == np.uint8
            except DataError as error:
                assert str(path) in error.problem


@pytest.mark.parametrize("size", [[4, 8], (np.int64(4), 8), np.array([4, 8]).tolist()])
def test_a_size_may_be_a_list_or_of_numpys_numbers(size: Any) -> None:
    found = height_and_width(size)
    assert repr(found) == "(4, 8)"
    assert repr(height_and_width(np.uint8(4))) == "(4, 4)"


@pytest.mark.parametrize("size", [0, -1, (4,), (4, 0), 2.5, "32", 100_000])
def test_an_impossible_size_is_a_config_error(
    tmp_path: Path, write_png: WritePng, size: object
) -> None:
    path = write_png(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="image size"):
        read_picture(path, image_size=size)  # type: ignore[arg-type]


def test_the_content_of_a_file_reads_as_the_file_does(tmp_path: Path, write_png: WritePng) -> None:
    path = write_png(tmp_path / "a.png", (10, 20, 30), (4, 6))
    from_file, from_content = read_picture(path), read_picture(path.read_bytes())
    assert (from_content.pixels == from_file.pixels).all()
    assert (from_content.mode, from_content.size) == (from_file.mode, from_file.size)


@pytest.mark.parametrize(("content", "reason"), [(b"", "it is empty"), (b"no", "not an image")])
def test_broken_content_is_told_under_its_name(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=f"upload 3 cannot be read: .*{reason}"):
        read_picture(content, name="upload 3")


def drawing(ink: int, mode: str) -> Image.Image:
    """A bar of ink on transparent ground."""
    pixels = np.full((6, 6, 4), ink, np.uint8)
    pixels[..., 3] = 0
    pixels[:, 2:4, 3] = 255
    image = Image.fromarray(pixels)
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (9, 255), (200, 0), (255, 0)])
def test_a_drawing_lies_on_the_ground_that_shows_it(
    tmp_path: Path, mode: str, ink: int, ground: int
) -> None:
    drawing(ink, mode).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.pixels[0, 0, 0] == ground
    assert abs(int(picture.pixels[0, 2, 0]) - ink) <= 1
    assert picture.is_on_white == (ground == 255)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_a_picture_of_nothing_stays_on_black(tmp_path: Path, alpha: int) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, alpha)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert not picture.pixels.any() and not picture.is_on_white


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_rotation_is_as_pillow_has_it(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert (read_picture(tmp_path / "a.png").pixels[..., 0] == expected).all()


@pytest.mark.parametrize("block", [b"rubbish", b"MM\0*", b"II*\0\xff\xff\xff\xff", b""])
def test_exif_that_cannot_be_read_is_no_rotation(tmp_path: Path, block: bytes) -> None:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.save(tmp_path / "a.png", exif=block)
    assert read_picture(tmp_path / "a.png").size == (3, 4)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\0\0\0\x18ftypheic", "its content is HEIC"),
        (b"\0\0\0\x18ftypavif", "its content is AVIF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "its content is SVG"),
        (b"\0\0\x01\0\x01\0\x10\x10\0\0", "its content is ICO"),
        (b"\0\0\x02" + bytes(9) + b"\x10\0\x10\0\x18\x20", "its content is TGA"),
        (b"<!DOCTYPE html><html>", "its content is HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"text", "it is not an image"),
        (b"", "it is empty"),
    ],
)
def test_what_is_no_supported_image_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_picture(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=told):
        read_picture(content)
