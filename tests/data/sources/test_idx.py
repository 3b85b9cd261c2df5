"""Tests of the IDX format."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rungwise.data.content import blob_hash
from rungwise.data.sources.idx import IdxFiles, labelled, read_idx
from rungwise.errors import DataError


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([1, 0], np.uint8)


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_plain_and_packed_files_give_the_same(tmp_path: Path, name: str) -> None:
    content = idx_bytes(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    array = read_idx(tmp_path / name, blob_hash(content))
    assert array.dtype == np.uint8
    assert (array == IMAGES).all()


def test_images_get_a_channel_axis() -> None:
    data = labelled(IMAGES.copy(), LABELS.copy(), ("zero", "one"))
    assert data.images.shape == (2, 3, 4, 1)
    assert data.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file.*nothing"),
        (b"<!DOCTYPE html>", "not an IDX file.*3c 21 44 4f"),
        (b"\0\0\x0d\x01" + b"\0\0\0\0", "not an IDX file"),  # floats
        (b"\0\0\x08\x00", "not an IDX file"),
        (b"\0\0\x08\x03\0\0", "not an IDX file"),
        (idx_bytes(IMAGES)[:-1], "has 23 bytes of data"),
        (idx_bytes(IMAGES) + b"!", "has more bytes of data"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "has 0 bytes of data"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "bad")
    assert caught.value.expected and caught.value.fix


def test_damaged_compression_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(idx_bytes(IMAGES))
    for i, content in enumerate((packed[:-9], b"<html>", packed[:15] + b"!!!!" + packed[19:])):
        path = tmp_path / f"bad{i}.gz"
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"bad{i}.gz is damaged"):
            read_idx(path)


def test_other_content_than_expected_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(idx_bytes(IMAGES))
    with pytest.raises(DataError, match="x holds other content than the official file"):
        read_idx(tmp_path / "x", "0" * 40)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x cannot be read: No such file"):
        read_idx(tmp_path / "x")


def test_downloads_cover_what_is_missing(tmp_path: Path) -> None:
    origin = IdxFiles(mirrors=("https://a/", "https://b/"), identities={"one": "1", "two": "2"})
    (tmp_path / "one").touch()
    assert origin.missing(tmp_path) == ("two.gz",)
    assert [d.mirrors for d in origin.downloads()] == [
        ("https://a/one.gz", "https://b/one.gz"),
        ("https://a/two.gz", "https://b/two.gz"),
    ]


def test_a_bomb_is_unpacked_no_further_than_its_header_states(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(idx_bytes(IMAGES) + bytes(10_000_000)))

    tracemalloc.start()

    with pytest.raises(DataError, match="has more bytes of data"):
        read_idx(tmp_path / "bomb.gz")

    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
