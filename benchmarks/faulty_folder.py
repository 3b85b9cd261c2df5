"""Does a folder with twenty faults get through, with each of them named and nothing else lost?

Makes a folder of 2,000 CIFAR-10 images as PNG files, train and test, at three sizes and in two
colour modes, plants twenty faults, and uses it as a user would: `rungwise data check`, a training
that is to stop at bad files, and one that is to leave them out. Tells for each fault under which
kind the check names its file, and how many images the training used.

Command: python benchmarks/faulty_folder.py FOLDER     (CIFAR-10 in $RUNGWISE_DATA)
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from rungwise.data import LabelledImages, load
from rungwise.data.names import printable

TRAIN, TEST = 1500, 500
SIZES, MODES = (32, 24, 48), ("RGB", "L")
MAIN = "from rungwise.interfaces.cli.app import main; main()"


class Fault(NamedTuple):
    """One planted fault.

    Args:
        what: In words.
        kind: Under which kind of problem the check is to name it; empty: it is to be used.
        path: Relative to the folder.
    """

    what: str
    kind: str
    path: bytes


def write_images(folder: Path, part: str, images: LabelledImages, count: int) -> None:
    """Write the first images of a part into class folders, sizes and modes in turn."""
    for number in range(count):
        pixels = images.gather(images.labels.new_tensor([number]))[0].numpy()
        side, mode = SIZES[number % len(SIZES)], MODES[number // len(SIZES) % len(MODES)]
        place = folder / part / images.class_names[int(images.labels[number])]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        picture.convert(mode).save(place / f"{number}.png")


def png_header(width: int, height: int) -> bytes:
    """Return a PNG file that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + pixels + chunk(b"IEND", b"")


def plant(folder: Path) -> list[Fault]:
    """Plant the faults, and return what they are."""
    faults: list[Fault] = []
    train, test = folder / "train", folder / "test"
    good = sorted((train / "cat").glob("*.png"))
    outside = folder.parent / f"{folder.name}-elsewhere"
    outside.mkdir(exist_ok=True)

    def add(what: str, kind: str, path: Path, make: Callable[[Path], Any]) -> None:
        make(path)
        faults.append(Fault(what, kind, os.fsencode(path.relative_to(folder))))

    def holding(content: bytes) -> Callable[[Path], Any]:
        return lambda path: path.write_bytes(content)

    def like(source: Path) -> Callable[[Path], Any]:
        return lambda path: shutil.copyfile(source, path)

    def linked(target: Path) -> Callable[[Path], Any]:
        return lambda path: path.symlink_to(target)

    whole = good[0].read_bytes()
    unreadable = "unreadable"
    add("cut off", unreadable, train / "cat/cut.png", holding(whole[: len(whole) // 2]))
    add("cut off, test", unreadable, test / "cat/cut.png", holding(whole[: len(whole) // 2]))
    add("empty", unreadable, train / "dog/empty.png", holding(b""))
    add("text called .png", unreadable, train / "dog/text.png", holding(b"not a picture\n"))
    add("text called .jpg", unreadable, train / "ship/notes.jpg", holding(b"<html></html>"))
    bomb = png_header(50_000, 50_000)
    add("50,000×50,000 pixels", unreadable, train / "frog/bomb.png", holding(bomb))
    add("the same, test", unreadable, test / "frog/bomb.png", holding(bomb))
    add("cut off in its head", unreadable, train / "bird/head.png", holding(whole[:20]))
    add("doubled", "duplicates_train", train / "cat/again.png", like(good[2]))
    add("doubled, stored anew", "duplicates_train", train / "cat/again.bmp", _stored_anew(good[3]))
    add("doubled in test", "duplicates_across", test / "cat/seen.png", like(good[4]))
    add("doubled in test, 2", "duplicates_across", test / "cat/seen2.png", like(good[5]))
    add("two labels", "duplicates_conflicting", train / "dog/cat.png", like(good[6]))
    add("two labels, 2", "duplicates_conflicting", train / "ship/cat.png", like(good[7]))
    shutil.copyfile(good[8], outside / "one.png")
    add("link out", "outside_link", train / "deer/link.png", linked(outside / "one.png"))
    add("link to nothing", unreadable, train / "deer/broken.png", linked(folder / "nowhere.png"))
    add("link to the folder itself", "broken_link", train / "loop", linked(folder))
    for what, name in (("Unicode", "猫 ñ \u202e🐈.png"), ("a line break", "a\nb.png")):
        add(f"odd name: {what}", "", train / "frog" / name, _brighter(good[9], len(what)))
    odd = train / "frog" / os.fsdecode(b"\xff\xfe.png")
    add("odd name: no text", "", odd, _brighter(good[9], 40))
    return faults


def _stored_anew(source: Path) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        with Image.open(source) as picture:
            picture.save(path)

    return write


def _brighter(source: Path, levels: int) -> Callable[[Path], Any]:
    """Return a writer of a picture that is nowhere else in the folder."""

    def write(path: Path) -> None:
        with Image.open(source) as picture, path.open("wb") as file:
            made = picture.convert("RGB").transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            made.point(lambda level: min(255, level + levels)).save(file, "PNG")

    return write


def rungwise(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-c", MAIN, *words]
    return subprocess.run(command, capture_output=True, text=True)


def kinds_naming(report: dict[str, Any], path: bytes) -> list[str]:
    """Return the kinds of problems that name a file among their examples."""
    name = printable(os.fsdecode(path))
    return [
        problem["kind"]
        for problem in report["problems"]
        if any(name in example for example in problem["examples"])
    ]


def main() -> int:
    """Make the folder, use it, and tell what became of each fault; 1 if one was not named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="is made anew; must not be there")
    folder = parser.parse_args().folder
    cifar = load("cifar10", offline=True)
    assert cifar.test is not None
    write_images(folder, "train", cifar.train, TRAIN)
    write_images(folder, "test", cifar.test, TEST)
    faults = plant(folder)
    checked = rungwise("data", "check", str(folder), "--image-size", "32", "--json")
    report = json.loads(checked.stdout)
    print(f"data check: exit code {checked.returncode}")
    missed = 0
    for fault in faults:
        found = kinds_naming(report, fault.path)
        right = fault.kind in found if fault.kind else not set(found) - {"mixed_sizes", "enlarged"}
        missed += not right
        told = ", ".join(found) or "used"
        name = printable(os.fsdecode(fault.path))
        print(f"{'ok  ' if right else 'MISS'} {fault.what}: {told}  {name}")
    counts = {part: sum(classes.values()) for part, classes in report["counts"].items()}
    print(f"readable: {counts}")
    run = ("train", str(folder), "--image-size", "32", "--epochs", "1", "--out", f"{folder}-runs")
    stopped = rungwise(*run, "--bad-files", "stop")
    print(f"train --bad-files stop: exit code {stopped.returncode}\n{stopped.stderr}")
    skipped = rungwise(*run, "--bad-files", "skip", "--json")
    print(
        f"train --bad-files skip: exit code {skipped.returncode}\n{skipped.stderr}{skipped.stdout}"
    )
    return int(missed > 0 or stopped.returncode != 3 or skipped.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
