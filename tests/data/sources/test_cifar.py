"""Tests of CIFAR's binary version, with batches of two images."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from rungwise.data.content import blob_hash
from rungwise.data.sources.cifar import (
    ARCHIVE,
    FOLDER,
    LARGEST_MEMBER_BYTES,
    TEST_FILE,
    TRAIN_FILES,
    CifarArchive,
    read_cifar,
)
from rungwise.errors import DataError

NAMES = tuple("abcdefghij")


def batch(label: int) -> bytes:
    """Two images of one label: red at the first pixel is 7, blue at the last is 9."""
    planes = np.zeros((3, 32, 32), np.uint8)
    planes[0, 0, 0], planes[2, 31, 31] = 7, 9
    return (bytes([label]) + planes.tobytes()) * 2


def batches() -> dict[str, bytes]:
    return {name: batch(label) for label, name in enumerate((*TRAIN_FILES, TEST_FILE))}


def pack(path: Path, members: dict[str, bytes], folder: str = f"{FOLDER}/") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(folder + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_archive_and_folder_give_the_same(tmp_path: Path) -> None:
    path = pack(tmp_path / ARCHIVE, batches())
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name, content in batches().items():
        (folder / name).write_bytes(content)
    packed, unpacked = read_cifar(path, NAMES), read_cifar(folder, NAMES)
    assert [p.fingerprint for p in packed] == [u.fingerprint for u in unpacked]


def test_planes_become_channels(tmp_path: Path) -> None:
    train, test = read_cifar(pack(tmp_path / ARCHIVE, batches()), NAMES)
    assert train.images.shape == (10, 32, 32, 3)
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert test.labels.tolist() == [5, 5]
    assert train.images[0, 0, 0].tolist() == [7, 0, 0]
    assert train.images[9, 31, 31].tolist() == [0, 0, 9]


def test_batches_are_read_in_order_whatever_the_archive_does(tmp_path: Path) -> None:
    backwards = dict(reversed(batches().items()))
    train, _ = read_cifar(pack(tmp_path / ARCHIVE, backwards), NAMES)
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("name", ["/etc/data_batch_1.bin", "../data_batch_1.bin", "a/../../x"])
def test_a_member_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path / ARCHIVE, {name: batch(0)}, folder="")
    with pytest.raises(DataError, match="leaves its folder") as caught:
        read_cifar(path, NAMES)
    assert repr(name) in caught.value.problem


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_is_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as tar:
        link = tarfile.TarInfo(f"{FOLDER}/{TRAIN_FILES[0]}")
        link.type, link.linkname = kind, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataError, match=f"{TRAIN_FILES[0]}.*is a link"):
        read_cifar(tmp_path / ARCHIVE, NAMES)


def test_a_giant_member_is_refused_by_its_header(tmp_path: Path) -> None:
    giant = {"giant": bytes(LARGEST_MEMBER_BYTES + 1)}
    with pytest.raises(DataError, match="'cifar-10-batches-bin/giant' has 30730001 bytes"):
        read_cifar(pack(tmp_path / ARCHIVE, giant), NAMES)


@pytest.mark.parametrize("length", [0, 1, 3072, 3074])
def test_a_wrong_size_is_named(tmp_path: Path, length: int) -> None:
    members = batches() | {"data_batch_3.bin": bytes(length)}
    with pytest.raises(DataError, match=rf"data_batch_3\.bin has {length} bytes"):
        read_cifar(pack(tmp_path / ARCHIVE, members), NAMES)


def test_missing_batches_are_named(tmp_path: Path) -> None:
    members = batches()
    del members["data_batch_2.bin"], members[TEST_FILE]
    with pytest.raises(DataError, match=r"lacks data_batch_2\.bin, test_batch\.bin"):
        read_cifar(pack(tmp_path / ARCHIVE, members), NAMES)


def test_a_label_beyond_the_classes_is_an_error(tmp_path: Path) -> None:
    path = pack(tmp_path / ARCHIVE, batches() | {TEST_FILE: batch(10)})
    with pytest.raises(DataError, match="labels run from 10 to 10"):
        read_cifar(path, NAMES)


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 2 * 3073, dtype=np.uint8).tobytes()
    whole = pack(tmp_path / "whole", dict.fromkeys(batches(), noise)).read_bytes()
    middle = len(whole) // 2
    for broken in (b"", b"<html></html>", whole[:middle], whole[:middle] + b"?" * 50):
        (tmp_path / ARCHIVE).write_bytes(broken)
        with pytest.raises(DataError, match=r"damaged or cut off|lacks|cannot be read"):
            read_cifar(tmp_path / ARCHIVE, NAMES)


def test_other_content_than_expected_is_named(tmp_path: Path) -> None:
    identities = {name: blob_hash(content) for name, content in batches().items()}
    pack(tmp_path / ARCHIVE, batches() | {"data_batch_4.bin": batch(0)})
    origin = CifarArchive(mirrors=(), identities=identities)
    with pytest.raises(DataError, match=r"data_batch_4\.bin holds other content"):
        origin.read(tmp_path, NAMES)
    (download,) = origin.downloads()
    with pytest.raises(DataError, match=r"data_batch_4\.bin holds other content"):
        download.verify(tmp_path / ARCHIVE)


def test_either_form_is_enough(tmp_path: Path) -> None:
    origin = CifarArchive(mirrors=(), identities={})
    assert origin.missing(tmp_path) == (ARCHIVE,)
    (tmp_path / FOLDER).mkdir()
    for name in TRAIN_FILES:
        (tmp_path / FOLDER / name).write_bytes(batch(0))
    assert origin.missing(tmp_path) == (ARCHIVE,)
    (tmp_path / FOLDER / TEST_FILE).write_bytes(batch(0))
    assert origin.missing(tmp_path) == ()
