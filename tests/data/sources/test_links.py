"""Links are followed; those that leave the folder or lead nowhere are told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rungwise.data import check, load
from rungwise.data.sources.layout import read_layout

WritePng = Callable[..., Path]


def told(root: Path) -> dict[str, tuple[str, ...]]:
    return {problem.kind: problem.examples for problem in read_layout(root).problems}


@pytest.fixture
def elsewhere(tmp_path: Path, write_png: WritePng) -> Path:
    """A folder of two images beside the photos."""
    write_png(tmp_path / "elsewhere" / "a.png", 200)
    write_png(tmp_path / "elsewhere" / "b.png", 210)
    return tmp_path / "elsewhere"


def test_a_file_outside_is_used_and_named(photos: Path, elsewhere: Path) -> None:
    (photos / "train" / "cat" / "z.png").symlink_to(elsewhere / "a.png")
    assert told(photos) == {"outside_link": ("train/cat/z.png",)}
    assert len(load(str(photos)).train) == 6
    report = check(str(photos))
    assert report.ok and [problem.kind for problem in report.problems] == [
        "outside_link",
        "tiny_classes",
    ]


def test_a_class_folder_outside_is_named_once(photos: Path, elsewhere: Path) -> None:
    (photos / "train" / "eel").symlink_to(elsewhere)
    assert told(photos)["outside_link"] == ("train/eel",)
    assert len(load(str(photos)).train) == 7


def test_links_inside_are_nothing_to_tell(photos: Path) -> None:
    (photos / "train" / "cat" / "z.png").symlink_to("a.png")
    (photos / "train" / "eel").symlink_to("dog")
    (photos / "test" / "eel").symlink_to(photos / "test" / "dog")
    assert told(photos) == {}


def test_a_folder_reached_by_a_link_is_not_outside_itself(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    (photos / "train" / "cat" / "z.png").symlink_to(photos / "train" / "cat" / "a.png")
    assert told(tmp_path / "link") == {}


@pytest.mark.parametrize("target", [".", "..", "../.."])
@pytest.mark.parametrize("place", ["loop", "train/loop"])
def test_a_link_back_is_no_class(photos: Path, place: str, target: str) -> None:
    (photos / place).symlink_to(target)
    assert told(photos) == {"broken_link": (place,)}
    assert read_layout(photos).class_names == ("cat", "dog")


def test_links_to_nothing_and_to_themselves_are_told(photos: Path) -> None:
    (photos / "nothing").symlink_to("gone")
    (photos / "train" / "itself").symlink_to("itself")
    (photos / "train" / "cat" / "deep").symlink_to(photos)
    assert told(photos) == {
        "ignored": ("train/cat/deep",),
        "broken_link": ("nothing", "train/itself"),
    }
    assert len(load(str(photos)).train) == 5


def test_image_files_that_are_links_to_nothing_are_unreadable(photos: Path) -> None:
    (photos / "train" / "cat" / "gone.png").symlink_to("nowhere.png")
    (photos / "train" / "cat" / "self.png").symlink_to("self.png")
    problem = check(str(photos)).problems[0]
    assert problem.kind == "unreadable"
    assert problem.examples == (
        "train/cat/gone.png (No such file or directory)",
        "train/cat/self.png (Too many levels of symbolic links)",
    )
