"""Tests of the check."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.data.catalog import load
from rungwise.data.check import CheckReport, check, check_dataset
from rungwise.data.images import Dataset, LabelledImages
from rungwise.errors import UnknownNameError

WritePng = Callable[..., Path]


def kinds(report: CheckReport) -> dict[str, str]:
    """Return what was found beside tiny classes and plain images, which the folders here have."""
    found = {problem.kind: problem.severity for problem in report.problems}
    for kind in ("tiny_classes", "narrow_brightness"):
        assert found.pop(kind, "warning") == "warning"
    return found


def grey(values: list[int], labels: list[int]) -> LabelledImages:
    images = torch.tensor(values, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 2, 2, 1)
    return LabelledImages(images, torch.tensor(labels), ("a", "b"))


def test_a_named_set_is_counted() -> None:
    report = check("digits")
    assert report.ok
    assert report.shape == (1, 8, 8)
    assert sum(report.counts["train"].values()) == 1438
    assert list(report.counts) == ["train", "test"]


def test_copies_are_found_within_across_and_in_conflict() -> None:
    train = grey([1, 2, 1, 3, 1, 2], [0, 0, 0, 1, 0, 0])
    test = grey([3, 4], [0, 1])
    report = check_dataset(Dataset("some", train, test))
    found = {d.where: (d.groups, d.images, d.examples) for d in report.duplicates}
    assert found == {
        "train": (
            2,
            5,
            (("train[0]", "train[2]", "train[4]"), ("train[1]", "train[5]")),
        ),
        "across": (1, 2, (("train[3]", "test[0]"),)),
        "conflicting": (1, 2, (("train[3]", "test[0]"),)),
    }
    assert report.ok
    assert set(kinds(report).values()) == {"warning"}


def test_seventy_thousand_images_take_seconds() -> None:
    images = torch.zeros(70_000, 8, 8, 1, dtype=torch.uint8)
    data = LabelledImages(images, torch.zeros(70_000, dtype=torch.int64), ("a",))
    (copies,) = check_dataset(Dataset("some", data)).duplicates
    assert (copies.groups, copies.images, len(copies.examples[0])) == (1, 70_000, 5)


def test_a_sound_folder_has_no_problem(photos: Path) -> None:
    report = check(str(photos))
    assert report.ok
    assert kinds(report) == {}
    assert report.counts == {"train": {"cat": 3, "dog": 2}, "test": {"cat": 1, "dog": 1}}


def test_all_problems_of_a_folder_are_in_one_report(photos: Path, write_png: WritePng) -> None:
    for i in range(9):
        (photos / "train" / "cat" / f"bad{i}.png").write_text("no image")
    (photos / "train" / "eel").mkdir()
    write_png(photos / "train" / "dog" / "large.png", (1, 2, 3), (9, 9))
    report = check(str(photos))
    assert not report.ok
    assert kinds(report) == {
        "unreadable": "error",
        "mixed_sizes": "error",
        "empty_class": "warning",  # the last of that kind: test has no eel either
        "mixed_modes": "note",
    }
    assert report.shape is None
    assert report.counts["train"] == {"cat": 3, "dog": 3, "eel": 0}
    unreadable = report.problems[0]
    assert unreadable.count == len(unreadable.examples) == 9  # all of them, for the reader to mend


def test_unreadable_files_do_not_hide_copies(photos: Path, write_png: WritePng) -> None:
    (photos / "train" / "cat" / "bad.png").write_text("no image")
    write_png(photos / "train" / "dog" / "copy.png", 100)  # the same as test/cat/x.png
    report = check(str(photos))
    assert [d.examples for d in report.duplicates if d.where == "conflicting"] == [
        (("train/dog/copy.png", "test/cat/x.png"),)
    ]
    assert [p.severity for p in report.problems] == ["error", "warning", "warning", "warning"]


def test_a_class_of_which_nothing_can_be_read_is_an_error(photos: Path) -> None:
    for path in (photos / "train" / "dog").iterdir():
        path.write_text("no image")
    assert kinds(check(str(photos))) == {"unreadable": "error", "empty_class": "error"}


def test_a_folder_of_which_nothing_can_be_read_makes_a_report(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_text("no image")
    report = check(str(photos))
    assert report.shape is None
    assert kinds(report) == {"unreadable": "error", "empty_part": "error"}


def test_a_subset_that_is_too_large_is_an_error(photos: Path) -> None:
    assert check(f"{photos}@2").ok
    assert kinds(check(f"{photos}@3")) == {"subset": "error"}


@pytest.mark.parametrize("kind", ["empty", "absent", "npz", "offline"])
def test_data_that_cannot_be_loaded_make_a_report(tmp_path: Path, kind: str) -> None:
    spec = str(tmp_path / "absent")
    if kind == "empty":
        spec = str(tmp_path)
    if kind == "npz":
        spec = str(tmp_path / "x.npz")
        np.savez(spec, images=np.zeros((1, 2, 2)))
    if kind == "offline":
        spec = "mnist"
    report = check(spec, offline=True)
    assert kinds(report) == {"unusable": "error"}
    assert report.problems[0].expected and report.problems[0].fix


def test_an_unknown_name_is_no_report() -> None:
    with pytest.raises(UnknownNameError):
        check("minst")


def test_a_report_can_be_written_as_json(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "dog" / "copy.png", 100)
    written = json.loads(json.dumps(check(str(photos)).to_dict()))
    assert written["ok"] is True
    assert written["shape"] == [1, 4, 4]
    assert written["duplicates"][0]["where"] == "across"
    assert written["problems"][0]["kind"] == "duplicates_across"


def test_near_duplicates_are_problems_and_json(photos: Path, write_png: WritePng) -> None:
    rng = np.random.default_rng(0)
    for name in ("train/cat/d", "train/dog/d", "test/dog/d", "test/cat/e"):
        write_png(photos / f"{name}.png", rng.integers(0, 255, (24, 24), dtype=np.uint8))
    for path in [*photos.rglob("[abcxy].png")]:
        path.unlink()
    first = np.asarray(Image.open(photos / "train/cat/d.png"))
    write_png(photos / "train" / "cat" / "darker.png", first // 2)
    write_png(photos / "test" / "dog" / "z.png", first // 3 + 60)
    report = check(str(photos))
    assert kinds(report) == {
        "near_duplicates_train": "warning",
        "near_duplicates_across": "warning",
        "near_duplicates_conflicting": "warning",
    }
    assert report.problems[0].examples == ("train/cat/d.png ~ train/cat/darker.png",)
    written = json.loads(json.dumps(report.to_dict()))["near_duplicates"]
    assert [entry["where"] for entry in written] == ["train", "across", "conflicting"]
    assert written[1]["images"] == 3


def test_too_many_images_are_told_not_to_be_compared() -> None:
    images = torch.zeros(120_001, 12, 12, 1, dtype=torch.uint8)
    data = LabelledImages(images, torch.zeros(120_001, dtype=torch.int64), ("a",))
    report = check_dataset(Dataset("some", data))
    assert kinds(report) == {"duplicates_train": "warning", "near_duplicates_unknown": "note"}
    assert report.near_duplicates is None
    assert report.to_dict()["near_duplicates"] is None


def test_classes_too_small_to_hold_images_out_are_told(write_png: WritePng, tmp_path: Path) -> None:
    for first, (name, count) in enumerate({"ant": 10, "bee": 9, "cat": 1}.items()):
        for index in range(count):
            write_png(tmp_path / "own" / "train" / name / f"{index}.png", 80 * first + index)
    (problem,) = check(str(tmp_path / "own")).problems
    assert (problem.kind, problem.severity, problem.count) == ("tiny_classes", "warning", 2)
    assert problem.examples == ("bee: 9", "cat: 1")
    for name in ("ant", "bee", "cat"):
        write_png(tmp_path / "own" / "val" / name / "x.png", 31 + ord(name[0]))
    assert check(str(tmp_path / "own")).problems == ()


@pytest.mark.parametrize(
    "make", ["empty_classes", "empty_val", "loose_test", "unreadable", "table"]
)
@pytest.mark.parametrize("side", [4, 16])
def test_a_part_without_images_makes_a_report(
    photos: Path, write_png: WritePng, make: str, side: int
) -> None:
    root, spec = photos, str(photos)
    for path in [*root.rglob("*.png")]:
        path.unlink()
    for i, name in enumerate(("cat/a", "cat/b", "dog/a", "dog/b")):
        write_png(root / "train" / f"{name}.png", 10 * i, (side, side))
    if make != "empty_classes":
        (root / "test" / "cat").rmdir()
        (root / "test" / "dog").rmdir()
    if make == "empty_val":
        (root / "test").rename(root / "val")
    if make == "loose_test":
        write_png(root / "test" / "x.png", 50, (side, side))
    if make == "unreadable":
        for name in ("cat", "dog"):
            (root / "test" / name).mkdir()
            (root / "test" / name / "x.png").touch()
    if make == "table":
        rows = [f"train/{name}.png,{name[:3]},train" for name in ("cat/a", "dog/a")]
        rows.append("train/cat/b.png,eel,test")
        spec = str(root / "t.csv")
        Path(spec).write_text("\n".join(["path,label,split", *rows]))
    report = check(spec)
    assert not report.ok
    wanted = "unknown_class" if make == "table" else "empty_part"
    assert kinds(report)[wanted] == "error"
    assert report.counts["train"]["dog"] > 0
    json.dumps(report.to_dict())


def test_black_pictures_are_told(photos: Path, write_png: WritePng) -> None:
    for name in ("cat/x", "cat/y", "dog/x", "dog/y", "dog/z", "dog/w", "dog/v"):
        write_png(photos / "train" / f"{name}.png", 0)
    assert kinds(check(str(photos)))["black"] == "warning"


def test_drawings_on_white_ground_are_told_at_loading(photos: Path) -> None:
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[1, :, 3] = 255
    Image.fromarray(ink).save(photos / "train" / "cat" / "ink.png")
    assert kinds(check(str(photos)))["on_white"] == "warning"
    (note,) = load(str(photos)).notes
    assert "are put on white: train/cat/ink.png" in note


def test_what_is_not_used_is_told_at_loading(photos: Path) -> None:
    (photos / "train" / "cat" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (note,) = load(str(photos)).notes
    assert "not used: train/cat/x.heic" in note


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0, 16], "the pixels of all training images lie between 0 and 16, of 0 to 255"),
        ([200, 255], "the pixels of all training images lie between 200 and 255, of 0 to 255"),
        ([7, 7], "every pixel of the training images is 7"),
        ([0, 64], None),
    ],
)
def test_images_of_few_levels_are_told(values: list[int], told: str | None) -> None:
    report = check_dataset(Dataset("x", grey(values, [0, 1])))

    found = {problem.kind: problem.problem for problem in report.problems}
    assert found.get("narrow_brightness") == told
