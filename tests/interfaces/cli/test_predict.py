"""Which pictures `predict` takes: files, folders, patterns, standard input, lists; and bad ones."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.interfaces.cli import pictures
from rungwise.ladder.run import open_run
from rungwise.training import loop

Feed = Callable[[bytes], None]


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    return here


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Return a function that gives some content as standard input."""

    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def files_of(result: Any) -> list[str]:
    return [row["file"] for row in result.json]


def test_an_image_on_standard_input_is_predicted_as_its_file_is(
    rungwise: Any, run: Path, photos: Path, feed: Feed
) -> None:
    feed((photos / "cat" / "0.png").read_bytes())

    [piped] = rungwise("predict", run, "-", "--json").json

    [filed] = rungwise("predict", run, photos / "cat" / "0.png", "--json").json
    assert piped == {**filed, "file": "-"}


def test_standard_input_that_holds_no_image_is_explained(
    rungwise: Any, run: Path, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(b"")
    rungwise("predict", run, "-").fails(3, "standard input is empty", "cat image.png |")
    feed(b"some text")
    rungwise("predict", run, "-").fails(3, "standard input cannot be read: it is not an image")
    monkeypatch.setattr(pictures, "MOST_BYTES", 5)
    feed(b"some text")
    rungwise("predict", run, "-").fails(3, "standard input holds more than 5 bytes")
    feed(b"a.png\n")
    both = ("predict", run, "-", "--files-from", "-")
    rungwise(*both).fails(2, "standard input is named more than once")
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    rungwise("predict", run, "-").fails(2, "standard input is a terminal")
    rungwise("predict", run, "--files-from", "-").fails(2, "standard input is a terminal")
    rungwise("predict", run).fails(2, "no image is named", "--files-from")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_list_of_files_may_stand_in_a_file_or_on_standard_input(
    rungwise: Any, run: Path, photos: Path, feed: Feed, picture: Any, end: bytes
) -> None:
    odd = picture(Path("odd [1] *.png"))
    names = ["photos/cat/0.png", "photos/dog", str(odd)]
    content = end.join(map(os.fsencode, [*names, ""]))
    Path("list.txt").write_bytes(content)
    feed(content)

    by_file = rungwise("predict", run, "--files-from", "list.txt", "--json")
    by_pipe = rungwise("predict", run, "photos/cat/1.png", "--files-from", "-", "--json")

    expected = [names[0], *(f"photos/dog/{i}.png" for i in range(6)), str(odd)]
    assert files_of(by_file) == expected
    assert files_of(by_pipe) == ["photos/cat/1.png", *expected]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_from_windows_is_read(rungwise: Any, run: Path, photos: Path, encoding: str) -> None:
    lines = [r"photos\cat\0.png", " photos/cat/1.png ", "", "photos/cat/2.png"]
    Path("list.txt").write_bytes("\r\n".join(lines).encode(encoding))

    result = rungwise("predict", run, "--files-from", "list.txt", "--json")

    assert files_of(result) == [f"photos/cat/{i}.png" for i in range(3)]
    assert r"photos\cat\0.png is photos/cat/0.png" in result.err


def test_a_list_names_files_not_patterns_and_may_not_be_empty(
    rungwise: Any, run: Path, photos: Path, feed: Feed
) -> None:
    feed(b"photos/*/0.png\n")
    rungwise("predict", run, "--files-from", "-").fails(3, "photos/*/0.png cannot be read")
    feed(b"\n \n")
    rungwise("predict", run, "--files-from", "-").fails(3, "standard input names no file")
    rungwise("predict", run, "--files-from", "gone.txt").fails(3, "gone.txt cannot be read")


def test_folders_are_walked_in_natural_order_without_what_is_hidden(
    rungwise: Any, run: Path, picture: Any
) -> None:
    for name in ("a10.png", "a9.PNG", "deep/er/b.png", ".hidden.png", ".git/c.png", "x.png/d.png"):
        picture(Path("mixed") / name)
    picture(Path("__MACOSX/mixed.png")).rename("mixed/deep/notes.txt")
    Path("mixed/deep/loop").symlink_to("..")
    Path("mixed/link").symlink_to("../mixed/deep")

    result = rungwise("predict", run, "mixed", "--json")

    assert files_of(result) == [
        *("mixed/a9.PNG", "mixed/a10.png", "mixed/deep/er/b.png", "mixed/deep/notes.txt"),
        *("mixed/link/er/b.png", "mixed/link/notes.txt", "mixed/x.png/d.png"),
    ]


def test_a_pattern_does_as_the_shell_and_counts_a_file_once(
    rungwise: Any, run: Path, photos: Path
) -> None:
    folders = rungwise("predict", run, "photos/*", "--json")
    deep = rungwise("predict", run, "photos/**", "--json")

    assert len(folders.json) == 12
    assert sorted(files_of(deep)) == sorted(files_of(folders))


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are text")
def test_undecodable_names_and_ends_of_lines_are_escaped(
    rungwise: Any, run: Path, photos: Path
) -> None:
    odd = os.fsdecode(b"photos/cat/caf\xe9.png"), "photos/cat/two\nlines.png"
    for place, name in enumerate(odd):
        Path(f"photos/cat/{place}.png").rename(name)
    Path("photos/cat/no\nimage.png").write_text("text")

    result = rungwise("predict", run, "photos/cat")

    assert result.code == 3
    assert "photos/cat/caf\\xe9.png" in result.out
    assert "photos/cat/two\\nlines.png" in result.out
    assert "photos/cat/no\\nimage.png cannot be read" in result.err


def test_bad_files_stop_or_are_skipped_on_request(
    rungwise: Any, run: Path, photos: Path, picture: Any
) -> None:
    Path("photos/cat/0.png").write_text("no image")
    picture(Path("photos/dog/3.png"), (8, 9))

    stop = rungwise("predict", run, "photos", "--bad-files", "stop", "--json")
    skip = rungwise("predict", run, "photos", "--bad-files", "skip", "--json")

    stop.fails(3, "photos/cat/0.png cannot be read: it is not an image")
    assert skip.code == 0
    assert len(skip.json) == 10
    assert skip.err.splitlines() == [
        "note: left out: photos/cat/0.png cannot be read: it is not an image",
        "note: left out: photos/dog/3.png is 9x8 pixels",
    ]
    only = ("predict", run, "photos/cat/0.png", "--bad-files", "skip", "--json")
    rungwise(*only).fails(3, "it is not an image")


def test_many_files_are_predicted_batch_by_batch(
    rungwise: Any, run: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    stack = torch.stack

    def watched(images: list[torch.Tensor]) -> torch.Tensor:
        sizes.append(len(images))
        return stack(images)

    whole = rungwise("predict", run, "photos", "--json").json
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 5)
    monkeypatch.setattr(torch, "stack", watched)
    batched = rungwise("predict", run, "photos", "--json").json

    assert sizes == [5, 5, 2]
    assert [row["class"] for row in batched] == [row["class"] for row in whole]


def test_a_name_that_looks_like_an_option_follows_two_dashes(
    rungwise: Any, run: Path, photos: Path
) -> None:
    Path("photos/cat/0.png").rename("-0.png")

    [row] = rungwise("predict", "--json", run, "--", "-0.png").json

    assert row["file"] == "-0.png"
    predictor = open_run(run).predictor()
    assert list(row["probabilities"]) == list(predictor.class_names)
