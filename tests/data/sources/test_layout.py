"""Tests of which files belong to which part and class."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rungwise.data.names import natural_key
from rungwise.data.sources.layout import looked_at, read_layout
from rungwise.errors import DataError

WritePng = Callable[..., Path]


def kinds(root: Path) -> dict[str, str]:
    return {problem.kind: problem.severity for problem in read_layout(root).problems}


def test_classes_are_in_natural_order(tmp_path: Path, write_png: WritePng) -> None:
    for name in ("class10", "class9", "class1"):
        write_png(tmp_path / name / "x.png")
    assert read_layout(tmp_path).class_names == ("class1", "class9", "class10")


def test_natural_order_takes_any_mix_of_names() -> None:
    names = ["a", "1", "10", "2", "a1", "A", "é", "²", "", "1a"]
    assert sorted(names, key=natural_key) == ["", "1", "1a", "2", "10", "A", "a", "a1", "²", "é"]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_validation_goes_by_several_names(photos: Path, write_png: WritePng, name: str) -> None:
    write_png(photos / name / "cat" / "v.png")
    write_png(photos / name / "dog" / "v.png")
    assert list(read_layout(photos).parts) == ["train", "validation", "test"]


def test_two_validation_folders_are_an_error(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "val" / "cat" / "v.png")
    write_png(photos / "valid" / "cat" / "v.png")
    with pytest.raises(DataError, match="two validation parts: val/ and valid/"):
        read_layout(photos)


def test_hidden_things_do_not_exist(photos: Path, write_png: WritePng) -> None:
    for folder in (".ipynb_checkpoints", "__MACOSX", ".git"):
        write_png(photos / "train" / folder / "x.png")
        write_png(photos / folder / "x.png")
    write_png(photos / "train" / "cat" / "._a.png")
    (photos / "train" / "cat" / ".DS_Store").touch()
    (photos / "train" / "cat" / "Thumbs.db").touch()
    layout = read_layout(photos)
    assert layout.class_names == ("cat", "dog")
    assert len(layout.parts["train"]) == 5
    assert layout.problems == []


def test_a_class_missing_in_test_shifts_no_label(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "bee" / "x.png")
    layout = read_layout(photos)
    assert layout.class_names == ("bee", "cat", "dog")
    assert layout.parts["test"].labels.tolist() == [1, 2]
    assert kinds(photos) == {"empty_class": "warning"}


def test_a_class_that_only_test_has_is_an_error(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "test" / "zebra" / "x.png")
    assert kinds(photos) == {"unknown_class": "error"}


def test_an_empty_class_is_an_error_in_train(photos: Path) -> None:
    (photos / "train" / "eel").mkdir()
    assert kinds(photos)["empty_class"] in ("error", "warning")
    assert "error" in {p.severity for p in read_layout(photos).problems}


def test_one_class_alone_is_an_error(tmp_path: Path, write_png: WritePng) -> None:
    write_png(tmp_path / "cat" / "x.png")
    assert kinds(tmp_path) == {"single_class": "error"}


def test_files_that_are_not_used_are_told(photos: Path, write_png: WritePng) -> None:
    (photos / "train" / "cat" / "labels.csv").touch()
    (photos / "train" / "cat" / "more").mkdir()
    write_png(photos / "train" / "loose.png")
    (photos / "extra").mkdir()
    (problem,) = read_layout(photos).problems
    assert (problem.kind, problem.severity, problem.count) == ("ignored", "warning", 4)


def test_suffixes_count_in_any_case(tmp_path: Path, write_png: WritePng) -> None:
    write_png(tmp_path / "cat" / "x.PNG")
    write_png(tmp_path / "dog" / "x.png")
    assert len(read_layout(tmp_path).parts["train"]) == 2


@pytest.mark.parametrize("make", ["nothing", "loose", "only_test", "file", "absent"])
def test_a_folder_without_classes_says_what_was_expected(
    tmp_path: Path, write_png: WritePng, make: str
) -> None:
    root = tmp_path / "root"
    if make != "absent":
        root.mkdir()
    if make == "loose":
        write_png(root / "x.png")
    if make == "only_test":
        write_png(root / "test" / "cat" / "x.png")
    if make == "file":
        root = write_png(root / "x.png")
    with pytest.raises(DataError, match=str(root)) as caught:
        read_layout(root)
    assert "<class>" in str(caught.value.expected)
    assert caught.value.fix


def test_all_files_and_folders_that_matter_are_looked_at(photos: Path) -> None:
    seen = list(looked_at(photos))
    files = {str(file) for part in read_layout(photos).parts.values() for file in part.contents()}
    assert len(files) == 7
    assert files < set(seen)
    assert {str(photos), str(photos / "train"), str(photos / "train" / "cat")} < set(seen)
    assert len(set(seen)) == len(seen)
    assert seen == list(looked_at(photos))


def names_of(root: Path, part: str = "train") -> list[str]:
    return list(read_layout(root).parts[part].names.all_raw())


def test_images_in_sub_folders_count_to_the_class(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "cat" / "more" / "x.png")
    write_png(photos / "train" / "cat" / "more" / "still" / "y.png")
    assert names_of(photos)[3:5] == ["train/cat/more/still/y.png", "train/cat/more/x.png"]
    assert read_layout(photos).parts["train"].labels.tolist() == [0] * 5 + [1] * 2
    (note,) = read_layout(photos).problems
    assert (note.kind, note.severity, note.count) == ("sub_folders", "note", 2)
    assert note.examples == ("train/cat/more/still (1)", "train/cat/more (1)")


def test_a_link_in_a_class_folder_that_leads_back_ends(photos: Path) -> None:
    (photos / "train" / "cat" / "circle").symlink_to(photos / "train" / "cat")
    assert len(names_of(photos)) == 5
    assert kinds(photos) == {"ignored": "warning"}
    assert len(list(looked_at(photos))) < 30


@pytest.mark.parametrize("name", ["x.jfif", "x.jpe", "x", "x.JPG_large", "x.txt"])
def test_the_content_decides_what_is_an_image(photos: Path, write_png: WritePng, name: str) -> None:
    write_png(photos / "train" / "cat" / name, 7)
    assert f"train/cat/{name}" in names_of(photos)
    assert kinds(photos) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes", b"BMW are cars, and P1 is a car park"),
        ("labels.csv", b"path,label"),
        ("empty", b""),
        ("x.nef", b"II*\0\x08\0\0\0"),
    ],
)
def test_what_is_no_image_is_told_not_to_be_used(photos: Path, name: str, content: bytes) -> None:
    (photos / "train" / "cat" / name).write_bytes(content)
    (problem,) = read_layout(photos).problems
    assert (problem.kind, problem.examples) == ("ignored", (f"train/cat/{name}",))


@pytest.mark.parametrize("part", ["train", "test", "Valid"])
def test_a_part_among_plain_classes_is_a_class(
    tmp_path: Path, write_png: WritePng, part: str
) -> None:
    for name in ("bus", "car", part):
        write_png(tmp_path / name / "x.png")
    layout = read_layout(tmp_path)
    assert list(layout.parts) == ["train"]
    assert sorted(layout.class_names) == sorted(("bus", "car", part))
    assert kinds(tmp_path) == {"class_named_as_part": "note"}


@pytest.mark.parametrize("other", ["holdout", "dev", "bus"])
def test_a_folder_with_the_classes_of_train_is_not_left_out_unseen(
    photos: Path, write_png: WritePng, other: str
) -> None:
    write_png(photos / other / "cat" / "x.png")
    with pytest.raises(DataError, match=f"has {other}/ beside train/") as caught:
        read_layout(photos)
    assert "rename" in str(caught.value.fix)


@pytest.mark.parametrize(
    "parts", [("training_set", "test_set"), ("dev", "holdout"), ("seg_train/seg_train", "seg_test")]
)
def test_parts_under_other_names_are_no_classes(
    tmp_path: Path, write_png: WritePng, parts: tuple[str, ...]
) -> None:
    for part in parts:
        for name in ("cat", "dog"):
            write_png(tmp_path / part / name / "x.png")
    assert kinds(tmp_path) == {"likely_parts": "error"}


def test_parts_inside_of_classes_are_an_error(tmp_path: Path, write_png: WritePng) -> None:
    for name in ("cat", "dog"):
        for part in ("train", "test"):
            write_png(tmp_path / name / part / "x.png")
    assert kinds(tmp_path) == {"parts_in_classes": "error"}


def test_the_same_folders_in_every_class_are_a_warning(tmp_path: Path, write_png: WritePng) -> None:
    for year in ("2023", "2024"):
        for name in ("cat", "dog"):
            write_png(tmp_path / year / name / "x.png")
    assert read_layout(tmp_path).class_names == ("2023", "2024")
    assert kinds(tmp_path) == {"shared_sub_folders": "warning"}


def test_classes_in_two_unicode_forms_are_one(tmp_path: Path, write_png: WritePng) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    write_png(tmp_path / "train" / composed / "x.png")
    write_png(tmp_path / "train" / decomposed / "y.png")
    write_png(tmp_path / "train" / "tea" / "x.png")
    write_png(tmp_path / "test" / decomposed / "z.png")
    write_png(tmp_path / "test" / "tea" / "z.png")
    layout = read_layout(tmp_path)
    assert layout.class_names == (composed, "tea")
    assert layout.parts["train"].labels.tolist() == [0, 0, 1]
    assert layout.parts["test"].labels.tolist() == [0, 1]
    assert all(file.exists() for part in layout.parts.values() for file in part.contents())
    assert kinds(tmp_path) == {"joined_classes": "note"}


@pytest.mark.parametrize("twin", ["Cat", "ＣＡＴ", "c\u200dat", "cat "])
def test_classes_that_look_alike_are_an_error(photos: Path, write_png: WritePng, twin: str) -> None:
    write_png(photos / "train" / twin / "x.png")
    write_png(photos / "test" / twin / "x.png")
    assert kinds(photos) == {"look_alike_classes": "error"}


def test_single_letters_of_both_cases_are_two_classes(tmp_path: Path, write_png: WritePng) -> None:
    for name in ("A", "a"):
        write_png(tmp_path / name / "x.png")
    assert read_layout(tmp_path).class_names == ("A", "a")
    assert kinds(tmp_path) == {}


def test_a_run_is_no_data_set(photos: Path) -> None:
    for name in ("summary.json", "model.safetensors"):
        (photos / name).touch()

    with pytest.raises(DataError, match="is a run, not a data set") as caught:
        read_layout(photos)

    assert "rungwise compare RUN RUN" in str(caught.value.fix)
