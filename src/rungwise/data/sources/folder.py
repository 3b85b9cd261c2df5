"""Image folders: `layout` finds the files, `picture` decodes each, here they become one data set.

Colour is one for the whole folder: grey if every file is grey, else RGB. All problems of a folder
are collected before any is raised, so that one call tells everything there is to mend.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.problems import EXAMPLES, Problem, data_error, listed
from rungwise.data.sources.layout import LabelledFile, Layout, read_layout
from rungwise.data.sources.picture import ImageSize, Picture, height_and_width, read_picture
from rungwise.errors import DataError


@dataclass
class Survey:
    """Everything found in a folder, good and bad.

    Args:
        layout: Parts, classes and files.
        unreadable: File and reason of each file that could not be decoded.
        sizes: Number of files by (height, width), as stored.
        modes: Number of files by Pillow's mode.
        first_of_size: The first few files of each size.
        readable: The decoded files by part, in order.
        pixels: Their pixels, or None when they cannot be stacked: sizes are mixed, or there are
            more than half of the machine's memory holds.
    """

    layout: Layout
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    first_of_size: dict[tuple[int, int], list[Path]] = field(
        default_factory=lambda: defaultdict(list)
    )
    readable: dict[str, list[LabelledFile]] = field(default_factory=dict)
    pixels: dict[str, list[NDArray[np.uint8]]] | None = field(default_factory=dict)
    too_large_bytes: int = 0


def read_folder(
    path: Path, *, image_size: ImageSize | None = None, name: str | None = None
) -> Dataset:
    """Read a folder of image files.

    A folder without `test/` has no test part: `test` is None, and a run carves its validation
    split from the training images. A class that is missing in `test/` shifts no label.

    Args:
        path: A folder with `train/<class>/…`, or with the class folders themselves.
        image_size: Side length, or (height, width), that every image is resized to, also upwards;
            needed where sizes differ.
        name: The data set's name; the path by default.

    Raises:
        ConfigError: `image_size` is impossible.
        DataError: Files cannot be read, sizes differ, a class has no image, and so on: all
            problems at once.
    """
    found = survey(path, image_size=image_size)
    errors = [p for p in problems(found, image_size) if p.severity == "error"]
    if errors:
        raise data_error(errors)
    return assemble(found, name or str(path))


def survey(path: Path, *, image_size: ImageSize | None = None) -> Survey:
    """Decode every file of a folder, and go on after each that fails.

    Raises:
        ConfigError: `image_size` is impossible.
        DataError: There is no class folder to look into.
    """
    height_and_width(image_size)
    found = Survey(read_layout(path))
    total = sum(map(len, found.layout.parts.values()))
    for part, files in found.layout.parts.items():
        found.readable[part] = []
        for file in files:
            try:
                picture = read_picture(file.path, image_size=image_size)
            except DataError as error:
                found.unreadable.append((file.path, _reason(error, file.path)))
            else:
                found.readable[part].append(file)
                _note(found, part, file, picture, total)
    return found


def problems(found: Survey, image_size: ImageSize | None) -> list[Problem]:
    """Return all problems of a survey, errors and warnings."""
    mixed = image_size is None and len(found.sizes) > 1
    return [
        *([_unreadable_problem(found)] if found.unreadable else []),
        *([_mixed_problem(found)] if mixed else []),
        *([_memory_problem(found)] if found.too_large_bytes else []),
        *found.layout.problems,
    ]


def assemble(found: Survey, name: str) -> Dataset:
    """Stack the readable images of a survey whose `pixels` are there.

    Raises:
        DataError: The images cannot be stacked.
    """
    if found.pixels is None:
        raise DataError(
            f"the images of {found.layout.root} cannot be stacked",
            expected="images of one size that fit into memory",
            fix="pass an image size such as 32",
        )
    arrays = [array for part in found.pixels.values() for array in part]
    channels = max((array.shape[2] for array in arrays), default=1)
    size = arrays[0].shape[:2] if arrays else (1, 1)
    parts = {
        part: _stack(found.pixels.get(part, []), files, found.layout.class_names, (*size, channels))
        for part, files in found.readable.items()
    }
    return Dataset(name, parts["train"], test=parts.get("test"), validation=parts.get("validation"))


def _note(found: Survey, part: str, file: LabelledFile, picture: Picture, total: int) -> None:
    """Count one picture, and keep its pixels as long as all can be stacked."""
    found.sizes[picture.size] += 1
    found.modes[picture.mode] += 1
    if len(first := found.first_of_size[picture.size]) < EXAMPLES:
        first.append(file.path)
    if found.pixels is None:
        return
    kept = next((arrays[0] for arrays in found.pixels.values() if arrays), picture.pixels)
    needed = total * picture.pixels.nbytes
    if needed > _half_of_memory_bytes():
        found.too_large_bytes = needed
    if found.too_large_bytes or kept.shape[:2] != picture.pixels.shape[:2]:
        found.pixels = None
    else:
        found.pixels.setdefault(part, []).append(picture.pixels)


def _half_of_memory_bytes() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
    except (AttributeError, OSError, ValueError):  # not every platform tells
        return float("inf")


def _stack(
    arrays: list[NDArray[np.uint8]],
    files: list[LabelledFile],
    class_names: tuple[str, ...],
    shape: tuple[int, ...],
) -> LabelledImages:
    images = np.empty((len(arrays), *shape), np.uint8)
    for i, array in enumerate(arrays):
        images[i] = array  # a grey image fills all three channels
    labels = torch.tensor([file.label for file in files], dtype=torch.int64)
    return LabelledImages(torch.from_numpy(images), labels, class_names)


def _reason(error: DataError, path: Path) -> str:
    for start in (f"{path} cannot be read: ", f"{path} "):
        if error.problem.startswith(start):
            return error.problem.removeprefix(start)
    return error.problem


def _relative(paths: Iterator[Path] | list[Path], found: Survey) -> list[str]:
    return [str(path.relative_to(found.layout.root)) for path in paths]


def _unreadable_problem(found: Survey) -> Problem:
    names = _relative([path for path, _ in found.unreadable], found)
    told = [f"{n} ({why})" for n, (_, why) in zip(names, found.unreadable, strict=True)]
    total = sum(map(len, found.layout.parts.values()))
    return Problem(
        severity="error",
        kind="unreadable",
        problem=f"{len(names)} of {total} image files of {found.layout.root} cannot be read: "
        f"{listed(told)}",
        expected="whole image files of at most 64 megapixels",
        fix="replace these files or take them out of the folder",
        count=len(names),
        examples=tuple(told),
    )


def _mixed_problem(found: Survey) -> Problem:
    told = [
        f"{size[0]}×{size[1]} ({count}, such as {_relative(found.first_of_size[size], found)[0]})"
        for size, count in found.sizes.most_common()
    ]
    return Problem(
        severity="error",
        kind="mixed_sizes",
        problem=f"the images of {found.layout.root} have {len(told)} different sizes "
        f"(height×width): {listed(told)}",
        expected="one size for all images",
        fix="pass an image size such as 32, which resizes every image, or resize them yourself",
        count=len(told),
        examples=tuple(told[:EXAMPLES]),
    )


def _memory_problem(found: Survey) -> Problem:
    return Problem(
        severity="error",
        kind="too_large",
        problem=f"the images of {found.layout.root} need {found.too_large_bytes / 2**30:.1f} GiB",
        expected=f"at most {_half_of_memory_bytes() / 2**30:.1f} GiB, half the machine's memory",
        fix="pass an image size such as 32, which resizes every image",
    )
