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
    write_png(photos / "train" / "cat" / "more" / "x.png")
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
