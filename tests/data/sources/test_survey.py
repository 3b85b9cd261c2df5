"""Tests of image folders as data sets: what is good is decoded, what is bad is told."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rungwise.data import Dataset, check, load
from rungwise.data.sources import survey
from rungwise.data.sources.layout import read_layout
from rungwise.data.sources.survey import read_listed
from rungwise.errors import ConfigError, DataError, UnknownNameError

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


def test_files_that_cannot_be_read_are_left_out_by_choice(photos: Path) -> None:
    for i in range(7):
        (photos / "train" / "cat" / f"bad{i}.png").write_text("no image")
    (photos / "test" / "dog" / "bad.png").touch()
    with pytest.raises(DataError, match="8 of 15") as caught:
        load(str(photos))
    assert "--bad-files skip" in str(caught.value.fix)
    for _ in range(2):  # decoded, and from the cache
        data = load(str(photos), bad_files="skip")
        assert (len(data.train), data.bad_files) == (5, "skip")
        (note,) = data.notes
        assert "8 of 15 image files" in note and "are left out" in note
        assert "train/cat/bad0.png (it is not an image)" in note and "and 3 more" in note
        assert [data.train.name_of(i) for i in (0, 4)] == ["train/cat/a.png", "train/dog/b.png"]
    with pytest.raises(DataError, match="8 of 15"):  # what was decoded by skipping is not taken
        load(str(photos))


def test_what_is_left_is_the_same_set_as_without_the_files(photos: Path) -> None:
    before = load(str(photos)).fingerprint
    assert load(str(photos), bad_files="skip").fingerprint == before
    (photos / "train" / "cat" / "bad.png").touch()
    assert load(str(photos), bad_files="skip").fingerprint == before


@pytest.mark.parametrize(("part", "kind"), [("train", "empty_class"), ("test", "empty_part")])
def test_a_class_or_part_is_never_skipped_whole(photos: Path, part: str, kind: str) -> None:
    for path in (photos / part).glob("dog/*" if part == "train" else "*/*"):
        path.write_text("no image")
    message = {"empty_class": "1 classes without an image that can be read: dog"}
    message["empty_part"] = "the test part of .* has no image that can be read"
    with pytest.raises(DataError, match=message[kind]):
        load(str(photos), bad_files="skip")


def test_a_class_that_test_loses_is_told(photos: Path) -> None:
    (photos / "test" / "dog" / "y.png").write_text("no image")
    data = load(str(photos), bad_files="skip")
    assert data.test is not None and data.test.labels.tolist() == [0]


def test_only_unreadable_files_are_skipped(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "cat" / "tiny.png", 0, (1, 1))
    with pytest.raises(DataError, match="2 different sizes"):
        load(str(photos), bad_files="skip")


def test_a_decision_without_effect_or_sense_is_an_error(photos: Path) -> None:
    with pytest.raises(ConfigError, match="no effect on digits"):
        load("digits", bad_files="skip")
    with pytest.raises(UnknownNameError, match="way with bad files 'skp'"):
        load(str(photos), bad_files="skp")  # type: ignore[arg-type]


def test_enlarging_is_told_at_every_loading(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "cat" / "wide.png", 0, (4, 9))
    write_png(photos / "train" / "cat" / "large.png", 0, (9, 9))
    for _ in range(2):
        (note,) = load(str(photos), image_size=(4, 5)).notes
        assert "7 of 9 images" in note
        assert "enlarged to 4×5, from 4×4 (7, such as train/cat/a.png)" in note
    assert load(str(photos), image_size=4).notes == ()


def test_progress_counts_all_files(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "FILES_BETWEEN_PROGRESS", 3)
    (photos / "train" / "cat" / "bad.png").touch()
    told: list[tuple[int, int]] = []
    load(str(photos), bad_files="skip", progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 8), (6, 8), (8, 8)]
    load(str(photos), bad_files="skip", progress=lambda done, total: told.append((done, total)))
    assert len(told) == 3  # from the cache


def test_names_of_any_bytes_are_read_and_told(photos: Path, write_png: WritePng) -> None:
    folder = photos / "train" / "cat"
    raw = os.fsencode(folder) + b"/caf\xe9.png"
    shutil.copy(write_png(folder / "猫 \n🐈.png", 50), raw)
    with open(os.fsencode(folder) + b"/bad\xff.png", "wb"):  # noqa: PTH123
        pass
    os.rename(os.fsencode(photos / "train" / "dog"), os.fsencode(photos / "train") + b"/d\xf6g")  # noqa: PTH104
    os.rename(os.fsencode(photos / "test" / "dog"), os.fsencode(photos / "test") + b"/d\xf6g")  # noqa: PTH104
    report = check(str(photos))
    text = json.dumps(report.to_dict(), ensure_ascii=False)
    assert text.encode()  # no lone surrogate
    assert report.problems[0].examples == ("train/cat/bad\\xff.png (it is empty)",)
    assert [d.examples for d in report.duplicates] == [
        (("train/cat/caf\\xe9.png", "train/cat/猫 \\n🐈.png"),)
    ]
    data = load(str(photos), bad_files="skip")
    assert data.train.class_names == ("cat", "d\\xf6g")
    assert len(data.train) == 7
    assert data.train.name_of(6) == "train/d\\xf6g/b.png"
