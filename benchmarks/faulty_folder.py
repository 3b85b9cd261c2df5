"""Is every fault of a folder of images named, and is nothing else lost?

Writes 2,000 images of CIFAR-10 as PNG files of three sizes and two colour modes, and among them 20
faults, each of which a folder of one's own may have. Then, on the command line: `data check` has to
name each fault; a training has to stop at files that cannot be read, or, with `--bad-files skip`,
to go on with all others; and `evaluate` has to measure on all test images that can be read. Prints
what was found; exit code 1 if anything is missing.

Command: python benchmarks/faulty_folder.py FOLDER      (which must not exist)
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

IMAGES, TEST_EVERY = 2000, 5
SIZES = (28, 32, 40)
SIDE = "32"
COMMAND = (sys.executable, "-m", "rungwise")


class Fault(NamedTuple):
    """One planted fault: the kind of problem that has to name it, and how it is called there."""

    what: str
    kind: str
    names: tuple[str, ...]


def write_sound(folder: Path, images: npt.NDArray[np.uint8], labels: list[str]) -> None:
    """Write images as PNG files: every fifth to test on, every third grey, sizes in turn."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        part = "test" if number % TEST_EVERY == 0 else "train"
        path = folder / part / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = SIZES[number // TEST_EVERY % len(SIZES)]
        picture = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
        (picture.convert("L") if number % 3 == 0 else picture).save(path)


def plant(folder: Path) -> list[Fault]:
    """Put 20 faults beside sound files of the folder, and return them."""
    first, second = sorted(path.name for path in (folder / "train").iterdir())[:2]
    train, other, test = folder / "train" / first, folder / "train" / second, folder / "test"
    sound = sorted(train.glob("[0-9]*.png"))
    outside = folder.with_name(f"{folder.name}-outside")
    outside.mkdir()
    shutil.copy(sound[0], outside / "a.png")
    whole = sound[1].read_bytes()
    half, spoiled = whole[: len(whole) // 2], whole[:60] + bytes(40) + whole[100:]
    faults = []

    def unreadable(what: str, path: Path, content: bytes | None = None) -> None:
        if content is not None:
            path.write_bytes(content)
        faults.append(Fault(what, "unreadable", (shown(path, folder),)))

    def copied(what: str, kind: str, source: Path, path: Path) -> None:
        shutil.copy(source, path)
        faults.append(Fault(what, kind, (shown(source, folder), shown(path, folder))))

    def changed(what: str, kind: str, source: Path, path: Path, picture: Image.Image) -> None:
        picture.save(path)
        faults.append(Fault(what, kind, (shown(source, folder), shown(path, folder))))

    unreadable("cut off in the middle", train / "truncated.png", half)
    unreadable("no byte in it", train / "empty.png", b"")
    unreadable("a web page instead of an image", other / "page.jpg", b"<!doctype html><p>Gone")
    unreadable("bytes spoiled inside", other / "spoiled.png", spoiled)
    unreadable("claims 50,000x50,000 pixels", test / second / "bomb.png", bomb(whole, 50_000))
    unreadable("the same, to train on", train / "bomb.png", bomb(whole, 50_000))
    unreadable("a name of bytes that are no text", named(train, b"caf\xe9.png"), b"")
    (other / "gone.png").symlink_to("nowhere.png")
    unreadable("a link to nowhere", other / "gone.png")
    (other / "itself.png").symlink_to("itself.png")
    unreadable("a link to itself", other / "itself.png")
    (train / "outside.png").symlink_to((outside / "a.png").resolve())
    faults.append(
        Fault("a link out of the folder", "outside_link", (f"train/{first}/outside.png",))
    )
    (folder / "train" / "back").symlink_to("..")
    faults.append(Fault("a folder's link back up", "broken_link", ("train/back",)))
    copied("doubled", "duplicates_train", sound[2], train / "double.png")
    copied("doubled, a name with a line break", "duplicates_train", sound[3], train / "猫 \n🐈.png")
    copied("trained on and tested on", "duplicates_across", sound[4], test / first / "leaked.png")
    copied("under two labels", "duplicates_conflicting", sound[5], other / "conflict.png")
    changed("compressed", "near_duplicates_train", sound[6], train / "c.jpg", compressed(sound[6]))
    brighter = ImageEnhance.Brightness(Image.open(sound[7])).enhance(1.1)
    changed(
        "brighter, in test", "near_duplicates_across", sound[7], test / first / "b.png", brighter
    )
    changed(
        "moved by a pixel, another label",
        "near_duplicates_conflicting",
        sound[8],
        other / "moved.png",
        moved(sound[8]),
    )
    for part in ("train", "test"):
        few = folder / part / "few"
        few.mkdir()
        for number in range(2):
            noise = np.random.default_rng([number, len(part)]).integers(0, 255, (32, 32), np.uint8)
            Image.fromarray(noise).save(few / f"{number}.png")
    faults.append(Fault("a class of two images", "tiny_classes", ("few: 2",)))
    faults.append(Fault("two colour modes", "mixed_modes", ("RGB: ", "L: ")))
    return faults


def shown(path: Path, folder: Path) -> str:
    """Return a file's name as the command line prints it."""
    name = str(path.relative_to(folder)).replace("\n", "\\n")
    return os.fsencode(name).decode(errors="backslashreplace")


def named(folder: Path, name: bytes) -> Path:
    """Return the path of a file whose name is any bytes."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def bomb(png: bytes, side: int) -> bytes:
    """Return a PNG whose header claims another size."""
    header = png[12:16] + 2 * side.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def compressed(path: Path) -> Image.Image:
    """Return an image as JPEG keeps it at quality 60."""
    buffer = io.BytesIO()
    Image.open(path).save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


def moved(path: Path) -> Image.Image:
    """Return an image moved by one pixel, its last column twice."""
    pixels = np.asarray(Image.open(path))
    return Image.fromarray(np.concatenate([pixels[:, 1:], pixels[:, -1:]], axis=1))


def rungwise(*words: object) -> tuple[int, str, str]:
    """Call the command line; returns its exit code, stdout and stderr."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def is_named(fault: Fault, problems: list[dict[str, object]]) -> bool:
    """Tell whether one example of a problem of the fault's kind holds all of its names."""
    examples = [
        str(problem["examples"] if fault.kind == "mixed_modes" else example)
        for problem in problems
        if problem["kind"] == fault.kind
        for example in (problem["examples"] if isinstance(problem["examples"], list) else [])
    ]
    return any(all(name in example for name in fault.names) for example in examples)


def judge(folder: Path, out: Path, faults: list[Fault], epochs: int) -> list[tuple[str, bool]]:
    """Check, train and evaluate; returns what was asked and whether it is so."""
    code, told, _ = rungwise("data", "check", folder, "--image-size", SIDE, "--json")
    report = json.loads(told)
    asked = [(f"named: {fault.what}", is_named(fault, report["problems"])) for fault in faults]
    bad = [fault for fault in faults if fault.kind == "unreadable"]
    classes = [path for path in folder.glob("*/*") if not path.is_symlink()]
    files = sum(len(list(path.iterdir())) for path in classes)
    counted = sum(sum(counts.values()) for counts in report["counts"].values())
    asked.append(
        (f"check: exit code 3, {counted} images counted", (code, counted) == (3, files - len(bad)))
    )
    words = ("train", folder, "--image-size", SIDE, "--epochs", epochs, "--out", out)
    code, _, error = rungwise(*words)
    stopped = code == 3 and f"{len(bad)} of {files} image files" in error and not out.exists()
    asked.append((f"stop: exit code 3, {len(bad)} of {files} files named, no run", stopped))
    code, told, error = rungwise(*words, "--bad-files", "skip", "--json")
    went_on = code == 0 and f"{len(bad)} of {files} image files" in error
    asked.append((f"skip: exit code 0, {len(bad)} of {files} files left out", went_on))
    if went_on:
        code, told, _ = rungwise("evaluate", json.loads(told)["run"], "--json")
        figures = json.loads(told)
        tested = sum(map(sum, figures["confusion"]))
        all_test = tested == sum(report["counts"]["test"].values())
        asked.append((f"evaluate: all {tested} test images that can be read", all_test))
        known = figures["duplicates"]
        asked.append((f"evaluate: {known} of them known from training, some", known > 0))
    return asked


def main() -> int:
    """Write the folder, ask, and print the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="cifar10", help="a set of images of 32x32x3 to write")
    options = parser.parse_args()
    from rungwise.data import load

    data = load(options.data).train
    labels = [data.class_names[label] for label in data.labels[:IMAGES].tolist()]
    write_sound(options.folder, data.first(IMAGES).numpy(), labels)
    faults = plant(options.folder)
    asked = judge(options.folder, options.folder.with_name("runs-of-it"), faults, epochs=1)
    for what, is_so in asked:
        print(f"{'yes' if is_so else 'NO '}  {what}")
    return 0 if all(is_so for _, is_so in asked) else 1


if __name__ == "__main__":
    sys.exit(main())
