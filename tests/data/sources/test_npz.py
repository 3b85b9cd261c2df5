"""Tests of NumPy archives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    ("arrays", "message"),
    [
        ({}, "lacks x_train, y_train, x_test, y_test; it holds nothing"),
        ({"images": IMAGES}, "lacks x_train.*it holds images"),
        ({"images": IMAGES / 255, "labels": [0, 1]}, r"images is float64 of shape \(2, 3, 4\)"),
        ({"images": IMAGES[0], "labels": [0, 1]}, r"images is uint8 of shape \(3, 4\)"),
        ({"images": IMAGES[:0], "labels": []}, "labels is float64"),
        ({"images": IMAGES, "labels": [0.0, 1.0]}, "labels is float64"),
        ({"images": IMAGES, "labels": [[0, 1], [1, 0]]}, r"labels is int64 of shape \(2, 2\)"),
        ({"images": IMAGES, "labels": [0]}, "for 2 images"),
        ({"images": IMAGES, "labels": [0, -1]}, "labels run from -1 to 0"),
        ({"images": IMAGES, "labels": [0, 10**12]}, "labels run from 0 to 1000000000000"),
        ({"images": IMAGES, "labels": [1, 1]}, "no training image of 1 classes: 0"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": ["a", "a"]}, "class_names is"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": [1, 2]}, "class_names is int64"),
        ({"images": IMAGES, "labels": [0, 1], "class_names": list("abc")}, "1 classes: c"),
        (
            {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES[:, 1:], "y_test": [0, 1]},
            "different shapes",
        ),
        (
            {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES, "y_test": [0, 2]},
            "labels run from 0 to 2",
        ),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_npz(save(tmp_path, **arrays))
    assert caught.value.expected and caught.value.fix


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path, images=np.array([{}], object), labels=[0])
    with pytest.raises(DataError, match="allow_pickle=False"):
        read_npz(path)


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
