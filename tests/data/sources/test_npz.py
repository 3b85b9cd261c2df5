"""Tests of NumPy archives."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rungwise.data.sources import npz
from rungwise.data.sources.npz import read_npz
from rungwise.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path / "x.npz", **arrays)
    return path / "x.npz"


def test_four_arrays_make_two_parts(tmp_path: Path) -> None:
    path = save(tmp_path, x_train=IMAGES, y_train=[1, 0], x_test=IMAGES[:1], y_test=[1])
    data = read_npz(path)
    assert data.train.shape == (1, 3, 4)
    assert data.train.labels.tolist() == [1, 0]
    assert data.train.class_names == ("0", "1")
    assert data.test is not None and len(data.test) == 1


def test_images_and_labels_make_one_part(tmp_path: Path) -> None:
    colour = np.zeros((2, 3, 4, 5), np.uint8)
    labels = np.array([[0], [1]], np.int32)  # Keras stores a column
    data = read_npz(save(tmp_path, images=colour, labels=labels, class_names=["cat", "dog"]))
    assert data.train.shape == (5, 3, 4)
    assert data.train.class_names == ("cat", "dog")
    assert data.test is None


def test_a_validation_part_is_taken(tmp_path: Path) -> None:
    pairs = {f"x_{part}": IMAGES for part in ("train", "val", "test")}
    data = read_npz(save(tmp_path, **pairs, y_train=[0, 1], y_val=[0, 1], y_test=[0, 1]))
    assert data.validation is not None and len(data.validation) == 2


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        (("train_images", "train_labels"), ("val_images", "val_labels"), ("test_images",)),
        (("X_train", "Y_train"), ("X_valid", "Y_valid"), ("X_test",)),
        (("images", "targets"), ("images_validation", "targets_validation"), ("images_testing",)),
    ],
)
def test_names_in_use_elsewhere_are_known(
    tmp_path: Path, train: tuple[str, ...], validation: tuple[str, ...], test: tuple[str, ...]
) -> None:
    column = np.array([[0], [1]], np.uint8)  # as MedMNIST stores them
    keys = {train[0]: IMAGES, train[1]: column, validation[0]: IMAGES, validation[1]: column}
    keys |= {test[0]: IMAGES[:1], test[0].replace("images", "targets").replace("X", "y"): [1]}
    if test[0] == "test_images":
        keys["test_labels"] = keys.pop("test_targets")

    data = read_npz(save(tmp_path, **keys, ids=[7, 8]))

    assert {part: images.labels.tolist() for part, images in data.parts.items()} == {
        "train": [0, 1],
        "validation": [0, 1],
        "test": [1],
    }
    assert data.notes == (f"{tmp_path / 'x.npz'}: not used are ids",)


def test_large_arrays_are_converted_by_way_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "LARGE_BYTES", 100)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 9), np.uint8)
    pixels[0, 0, 0, :2] = 0, 255

    data = read_npz(save(tmp_path, images=pixels / 255, labels=np.eye(2)[np.arange(20) % 2]))

    assert np.array_equal(data.train.images.numpy(), pixels.transpose(0, 2, 3, 1))
    assert data.train.labels.tolist() == [0, 1] * 10


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "lacks images of train, labels of train; it holds nothing"),
        ({"images": IMAGES}, "lacks labels of train; it holds images"),
        (
            {"images": IMAGES, "labels": [0, 1], "x_test": IMAGES},
            "lacks labels of test; it holds images, labels, x_test",
        ),
        (
            {"images": IMAGES, "x_train": IMAGES, "labels": [0, 1]},
            "several arrays that could be the same: images, x_train",
        ),
        ({"images": IMAGES + 0j, "labels": [0, 1]}, "complex128, neither numbers nor text"),
        ({"images": IMAGES[0], "labels": [0, 1]}, "holds 3 images, and .*labels 2 labels"),
        ({"images": IMAGES[:0], "labels": []}, "images is uint8 of shape"),
        ({"images": IMAGES, "labels": [0.0, 0.5]}, "1 labels are no whole numbers"),
        ({"images": IMAGES, "labels": ["a", ""]}, "1 labels of 2 are missing"),
        ({"images": IMAGES, "labels": [0]}, "2 images, and .*labels 1 labels"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": ["a", "a"]}, "class_names is"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": [1.5, 2]}, "class_names is float64"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": list("abc")}, "3 names, for 2 train"),
        (
            {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES[:, 1:], "y_test": [0, 1]},
            "different shapes",
        ),
        (
            {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES, "y_test": [0, 2]},
            "y_test has 1 labels that are no class: 2",
        ),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_npz(save(tmp_path, **arrays))
    assert caught.value.expected and caught.value.fix


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path, images=np.array([{}], object), labels=[0])
    with pytest.raises(DataError, match="images holds Python objects, which are never unpickled"):
        read_npz(path)


def npy(header: str, content: bytes = b"", version: int = 1) -> bytes:
    text = header.encode()
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + content


def archive(path: Path, *, images: bytes, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive whose member of images holds these bytes."""
    labels = io.BytesIO()
    np.save(labels, np.arange(2))
    with zipfile.ZipFile(path / "x.npz", "w", kind) as file:
        file.writestr("images.npy", images)
        file.writestr("labels.npy", labels.getvalue())
    return path / "x.npz"


PLAIN = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4)}"


def test_an_array_that_is_written_by_hand_is_read(tmp_path: Path) -> None:
    data = read_npz(archive(tmp_path, images=npy(PLAIN, bytes(range(24)))))
    assert data.train.images.flatten().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (npy(PLAIN.replace("(2, 3, 4)", "(100000, 1000, 1000)")), "1e.11 bytes, and holds 0"),
        (npy(PLAIN.replace("(2, 3, 4)", "(2, -3, -4)"), bytes(24)), "is of shape"),
        (npy(PLAIN.replace("(2, 3, 4)", "(2, 3)"), bytes(24)), "6 bytes, and holds 24"),
        (npy(PLAIN.replace("|u1", "|O"), bytes(24)), "Python objects"),
        (npy(PLAIN.replace("|u1", "<M8[s]"), bytes(192)), "neither numbers nor text"),
        (npy(PLAIN.replace("'|u1'", "('|u1', (2, 2))"), bytes(96)), "neither numbers nor text"),
        (npy(PLAIN.replace("'|u1'", "[('a', '|u1')]"), bytes(24)), "neither numbers nor text"),
        (npy("(" * 3000), "cannot be read"),
        (npy("-" * 4000 + "1"), "cannot be read"),
        (npy("[" * 60000), "cannot be read"),
        (npy("{'shape': " + "9" * 4000 + "}"), "cannot be read"),
        (npy("import os"), "cannot be read"),
        (npy(PLAIN, version=3), "version"),
        (npy(PLAIN, version=9), "cannot be read"),
        (b"", "cannot be read"),
        (b"GIF89a", "cannot be read"),
    ],
)
def test_headers_are_not_believed(tmp_path: Path, images: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_npz(archive(tmp_path, images=images))


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(DataError, match="a way that NumPy does not write"):
        read_npz(archive(tmp_path, images=npy(PLAIN, bytes(24)), kind=kind))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (8, 1, "encrypted"),
        (8, 32, "patched"),
        (10, 99, "a way that NumPy does not write"),
        (20, 0x7FFFFFFF, "larger than the file"),
        (24, 0x7FFFFFFF, "would unpack"),
    ],
)
def test_a_directory_is_not_believed(tmp_path: Path, place: int, value: int, message: str) -> None:
    path = archive(tmp_path, images=npy(PLAIN, bytes(24)))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02") + place  # of images, in the list of members
    width = 2 if value < 2**16 else 4
    content[entry : entry + width] = value.to_bytes(width, "little")
    local = {8: 6, 10: 8}.get(place)  # the same in front of the member
    if local:
        content[local : local + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_npz(path)


def test_bombs_are_refused_before_they_unpack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "SUSPECT_BYTES", 2**20)
    size = 2**21
    header = PLAIN.replace("(2, 3, 4)", f"(2, {size // 2}, 1)")
    path = archive(tmp_path, images=npy(header, bytes(size)))

    with pytest.raises(DataError, match=r"would unpack \d,\d{3} bytes to 2,09"):
        read_npz(path)


def test_more_images_than_bytes_are_refused(tmp_path: Path) -> None:
    header = PLAIN.replace("(2, 3, 4)", "(200000, 1, 1)")

    with pytest.raises(DataError, match=r"would unpack \d+ bytes to 200,000 images"):
        read_npz(archive(tmp_path, images=npy(header, bytes(200_000))))


def test_members_without_number_are_refused_and_many_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path, images=npy(PLAIN, bytes(range(24))))
    with zipfile.ZipFile(path, "a") as file:
        for i in range(2000):
            file.writestr(f"{i}.npy", b"")
    [note] = read_npz(path).notes
    assert note.endswith("not used are 0, 1, 2, 3, 4 and 1995 more")

    monkeypatch.setattr(npz, "MOST_DIRECTORY_BYTES", 2**16)
    with pytest.raises(DataError, match="a list of members of"):
        read_npz(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(DataError, match="it is no file"):
        read_npz(tmp_path / "x.npz")


def test_files_that_are_no_archive_are_named(tmp_path: Path) -> None:
    whole = save(tmp_path, images=IMAGES, labels=[0, 1]).read_bytes()
    for content in (b"", b"hello", whole[:100], whole[:-30]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.npz cannot be read as an \.npz archive"):
            read_npz(tmp_path / "bad.npz")
    np.save(tmp_path / "single.npy", IMAGES)
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with pytest.raises(DataError, match="a single array"):
        read_npz(tmp_path / "single.npz")
    with pytest.raises(DataError, match="No such file"):
        read_npz(tmp_path / "none.npz")
