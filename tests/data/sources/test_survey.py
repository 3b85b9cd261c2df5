"""Tests of image folders as data sets: what is good is decoded, what is bad is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rungwise.data import Dataset, load
from rungwise.data.sources.layout import read_layout
from rungwise.data.sources.survey import read_listed
from rungwise.errors import ConfigError, DataError

WritePng = Callable[..., Path]


def read_folder(path: Path, **options: Any) -> Dataset:
    return read_listed(read_layout(path), **options)


def test_a_split_folder_has_a_test_part(photos: Path) -> None:
    data = read_folder(photos)
    assert data.train.shape == (1, 4, 4)
    assert data.train.class_names == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert data.test is not None and data.test.labels.tolist() == [0, 1]
    assert data.validation is None


def test_a_flat_folder_has_no_test_part(photos: Path) -> None:
    data = read_folder(photos / "train")
    assert len(data.train) == 5
    assert data.test is None


def test_one_colour_image_makes_all_rgb(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "test" / "dog" / "z.png", (1, 2, 3))
    data = read_folder(photos)
    assert data.train.shape == (3, 4, 4)
    assert data.train.images[1, 0, 0].tolist() == [10, 10, 10]


def test_images_of_one_pixel_are_fine_together(tmp_path: Path, write_png: WritePng) -> None:
    write_png(tmp_path / "a" / "x.png", 1, (1, 1))
    write_png(tmp_path / "b" / "x.png", 2, (1, 1))
    assert read_folder(tmp_path).train.shape == (1, 1, 1)


def test_mixed_sizes_need_an_image_size(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "cat" / "tiny.png", 0, (1, 1))
    with pytest.raises(
        DataError, match=r"2 different sizes.*4×4 \(7.*1×1 \(1.*tiny\.png"
    ) as caught:
        read_folder(photos)
    assert "image size" in str(caught.value.fix)
    assert read_folder(photos, image_size=2).train.shape == (1, 2, 2)
    assert read_folder(photos, image_size=(3, 5)).train.shape == (1, 3, 5)


def test_all_unreadable_files_are_counted_and_the_first_named(photos: Path) -> None:
    for i in range(8):
        (photos / "train" / "cat" / f"bad{i}.png").write_text("no image")
    with pytest.raises(DataError) as caught:
        read_folder(photos)
    assert "8 of 15 image files" in caught.value.problem
    assert "train/cat/bad0.png (it is not an image)" in caught.value.problem
    assert "and 3 more" in caught.value.problem
    assert caught.value.expected and caught.value.fix


def test_all_kinds_of_problems_are_told_at_once(photos: Path, write_png: WritePng) -> None:
    (photos / "train" / "cat" / "bad.png").write_text("no image")
    (photos / "train" / "eel").mkdir()
    write_png(photos / "test" / "zebra" / "x.png", 0, (9, 9))
    write_png(photos / "train" / "dog" / "large.png", 0, (9, 9))
    with pytest.raises(DataError) as caught:
        read_folder(photos)
    for phrase in ("cannot be read", "different sizes", "without an image: eel", "zebra"):
        assert phrase in caught.value.problem


def test_a_dangling_link_is_unreadable(photos: Path) -> None:
    (photos / "train" / "cat" / "gone.png").symlink_to(photos / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png \(No such file"):
        read_folder(photos)


def test_a_class_with_no_image_is_named(photos: Path) -> None:
    (photos / "train" / "eel").mkdir()
    with pytest.raises(DataError, match="1 classes without an image: eel"):
        read_folder(photos)


def test_an_impossible_image_size_is_found_before_any_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="image size"):
        load(str(tmp_path / "absent"), image_size=0)


def test_modes_of_all_kinds_go_together(photos: Path) -> None:
    for i, mode in enumerate(("1", "L", "LA", "RGB", "RGBA", "P", "I;16")):
        Image.new(mode, (4, 4)).save(photos / "train" / "cat" / f"mode{i}.png")
    assert read_folder(photos).train.shape == (3, 4, 4)
