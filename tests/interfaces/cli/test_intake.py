"""One's own images from the command line: faults are named, left out by choice, and recorded."""

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rungwise.interfaces.cli import loading

Picture = Callable[..., Path]


@pytest.fixture
def faulty(here: Path, picture: Picture) -> Path:
    """A split folder of three sizes and two colour modes, with faults of every kind."""
    root, seed = here / "own", 0
    for part, count in (("train", 12), ("test", 4)):
        for name in ("cat", "dog"):
            for index in range(count):
                size, seed = (28, 32, 40)[index % 3], seed + 1
                path = root / part / name / f"{index}.png"
                picture(path, (size, size), channels=(3, 1)[index % 4 == 3], seed=seed)
    cat, dog, test = root / "train" / "cat", root / "train" / "dog", root / "test"
    whole = (cat / "1.png").read_bytes()
    (cat / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (cat / "empty.png").touch()
    (dog / "text.png").write_text("not an image")
    (test / "dog" / "bomb.png").write_bytes(bomb(whole, 50_000))
    shutil.copy(cat / "0.png", cat / "copy.png")
    shutil.copy(cat / "1.png", test / "cat" / "leaked.png")
    shutil.copy(cat / "2.png", dog / "conflict.png")
    shutil.copy(cat / "4.png", cat / "猫 \n🐈.png")
    shutil.copy(dog / "4.png", os.fsencode(dog) + b"/caf\xe9.png")
    Path(os.fsdecode(os.fsencode(cat) + b"/\xff.png")).touch()
    outside = picture(here / "outside" / "a.png", (32, 32), channels=3, seed=99)
    (cat / "outside.png").symlink_to(outside)
    (dog / "dangling.png").symlink_to("gone.png")
    (dog / "itself.png").symlink_to("itself.png")
    (root / "train" / "back").symlink_to("..")
    return root


def bomb(png: bytes, side: int) -> bytes:
    """Return a PNG whose header claims another size."""
    header = png[12:16] + 2 * side.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def test_every_fault_is_named(rungwise: Any, faulty: Path) -> None:
    result = rungwise("data", "check", "own", "--image-size", "32", "--json")
    assert result.code == 3
    report = result.json
    told = {problem["kind"]: problem for problem in report["problems"]}
    assert sorted(told["unreadable"]["examples"]) == [
        "test/dog/bomb.png (it has more than 64 megapixels)",
        "train/cat/\\xff.png (it is empty)",
        "train/cat/empty.png (it is empty)",
        "train/cat/truncated.png (image file is truncated)",
        "train/dog/dangling.png (No such file or directory)",
        "train/dog/itself.png (Too many levels of symbolic links)",
        "train/dog/text.png (it is not an image)",
    ]
    assert told["outside_link"]["examples"] == ["train/cat/outside.png"]
    assert told["broken_link"]["examples"] == ["train/back"]
    assert told["enlarged"]["count"] == 13
    assert told["mixed_modes"]["examples"] == ["RGB: 30", "L: 8"]
    copies = {
        entry["where"]: sorted(map(sorted, entry["examples"])) for entry in report["duplicates"]
    }
    assert copies["train"] == [
        ["train/cat/0.png", "train/cat/copy.png"],
        ["train/cat/2.png", "train/dog/conflict.png"],
        ["train/cat/4.png", "train/cat/猫 \\n🐈.png"],
        ["train/dog/4.png", "train/dog/caf\\xe9.png"],
    ]
    assert copies["across"] == [["test/cat/leaked.png", "train/cat/1.png"]]
    assert copies["conflicting"] == [["train/cat/2.png", "train/dog/conflict.png"]]

    text = rungwise("data", "check", "own", "--image-size", "32")
    assert text.code == 3
    assert all(example in text.out for p in told.values() for example in p["examples"])


def test_training_stops_or_skips_and_the_run_remembers(rungwise: Any, faulty: Path) -> None:
    words = ("train", "own", "--recipe", "tiny.yaml", "--image-size", "32")
    rungwise(*words).fails(3, "7 of 45 image files", "--bad-files skip")
    assert not Path("runs").exists()

    result = rungwise(*words, "--bad-files", "skip", "--json")
    assert result.code == 0
    assert result.err.count("are left out") == 1
    run = Path(result.json["run"])
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["bad_files"], summary["image_size"]) == ("skip", [32, 32])

    found = rungwise("evaluate", run, "--json")
    assert found.code == 0, found.err
    assert sum(map(sum, found.json["confusion"])) == 8 + 1
    rungwise("evaluate", run, "--bad-files", "skip").fails(2, "no effect without DATA")
    rungwise("evaluate", run, "own").fails(3, "7 of 45 image files")
    again = rungwise("evaluate", run, "own", "--bad-files", "skip", "--json")
    assert again.json["accuracy"] == found.json["accuracy"]
    second = rungwise(*words, "--bad-files", "skip", "--seed", "1", "--json").json["run"]
    assert rungwise("compare", run, second).code == 2  # one recipe, but the data were found


def test_a_file_that_goes_bad_beside_what_was_trained_on_is_no_hindrance(
    rungwise: Any, photos: Path
) -> None:
    train = ("train", "photos", "--recipe", "tiny.yaml", "--json")
    run = rungwise(*train).json["run"]
    (photos / "cat" / "late.png").write_text("no image")

    again = rungwise(*train, "--bad-files", "skip").json["run"]
    found = rungwise("evaluate", run, "--part", "validation")

    assert again == run  # the same images: found, with `stop` on its record
    assert found.code == 0
    assert "1 of 13 image files of photos cannot be read and are left out" in found.err

    (photos / "cat" / "0.png").write_text("no image")

    changed = rungwise("evaluate", run, "--part", "validation")
    assert changed.code == 3
    assert "is not what the run was trained on" in changed.err
    assert "cat/0.png (it is not an image)" in changed.err


def test_a_climb_skips_and_its_report_is_drawn_again(rungwise: Any, faulty: Path) -> None:
    words = ("climb", "own", "--epochs", "1", "--seeds", "2", "--rungs", "plain")
    rungwise(*words).fails(3, "7 of 45 image files")
    climbed = rungwise(*words, "--image-size", "8", "--bad-files", "skip", "--json")
    assert climbed.err.count("are left out") == 1
    report = Path(climbed.json["report"])
    page = report.read_text()
    assert "--image-size 8 --bad-files skip" in page
    report.unlink()
    assert rungwise("report", report.parent).code == 0
    assert report.read_text() == page


def test_a_picture_of_a_faulty_folder(rungwise: Any, faulty: Path) -> None:
    words = ("data", "show", "own", "--image-size", "32")
    rungwise(*words).fails(3, "7 of 45")
    assert rungwise(*words, "--bad-files", "skip").code == 0
    assert Path("picture.png").exists()


def test_a_table_is_trained_on(rungwise: Any, photos: Path) -> None:
    files = sorted(photos.glob("*/*.png"))
    rows = [f"{path.relative_to(photos.parent)},{path.parent.name}" for path in files]
    Path("photos.csv").write_text("\n".join(["path,label", *rows]))
    table = rungwise("train", "photos.csv", "--recipe", "tiny.yaml", "--json")
    assert table.code == 0, table.err
    assert rungwise("evaluate", table.json["run"], "--part", "validation").code == 0
    assert rungwise("data", "check", "photos.csv").out.startswith("photos.csv: 2 classes")


def test_ascii_terminals_get_json_that_can_be_read(faulty: Path) -> None:
    words = [sys.executable, "-m", "rungwise", "data", "check", "own", "--json"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, env=environment, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout.decode("ascii"))
    assert "mixed_sizes" in {problem["kind"] for problem in report["problems"]}


class Terminal:
    """A stderr that is a terminal, or is not."""

    def __init__(self, is_terminal: bool) -> None:
        self.isatty = lambda: is_terminal
        self.encoding = "utf-8"
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("is_terminal", "quiet", "told"),
    [
        (True, False, "reading image files"),
        (False, False, "reading image files: 2 of 3\n"),
        (True, True, ""),
        (False, True, ""),
    ],
)
def test_long_loading_is_shown(
    is_terminal: bool, quiet: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SECONDS_BEFORE_BAR", -1.0)
    monkeypatch.setattr(loading, "SECONDS_BETWEEN_LINES", -1.0)
    terminal = Terminal(is_terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with loading.LoadingBar(quiet) as bar:
        bar(2, 3)
        bar(3, 3)
    assert told in terminal.written if told else not terminal.written


def test_short_loading_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with loading.LoadingBar(quiet=False) as bar:
        bar(1, 2)
    assert capsys.readouterr().err == ""


def test_images_of_one_colour_mode_need_no_note(rungwise: Any, photos: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(photos / "cat" / "black.png")
    words = ("train", "photos", "--recipe", "tiny.yaml", "--image-size")
    assert "note: " not in rungwise(*words, "8", "--dry-run").err
    assert "13 of 13 images" in rungwise(*words, "9", "--dry-run").err


def test_more_classes_than_can_be_read_are_counted(rungwise: Any, here: Path) -> None:
    labels = np.arange(450) % 225
    images = np.random.default_rng(0).integers(0, 256, (450, 8, 8), np.uint8)
    np.savez(here / "many.npz", images=images, labels=labels)

    lines = rungwise("data", "check", "./many.npz").out.splitlines()

    assert [line.split()[0] for line in lines[2:202]] == list(map(str, range(200)))
    assert lines[202].startswith("and 25 more; --json has all")
    assert lines[203].split() == ["all", "450"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_folder_whose_name_is_no_text_is_trained_on_and_shown(
    rungwise: Any, photos: Path
) -> None:
    own = photos.rename(photos.parent / "caf\udce9")
    runs = [
        rungwise("train", f"./{own.name}", "--recipe", "tiny.yaml", "--json", *words).json["run"]
        for words in ((), ("--set", "batch_size=5"))
    ]

    assert rungwise("evaluate", runs[0], "--part", "validation").code == 0
    assert rungwise("compare", *runs).code == 0
    (page,) = Path("runs/climbs").glob("*/report.html")
    assert "caf\\udce9" in page.read_text(encoding="utf-8")
