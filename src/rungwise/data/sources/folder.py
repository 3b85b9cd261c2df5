"""Image folders: `layout` finds the files, `picture` decodes each, here they become one data set.

Colour is one for the whole folder: grey if every file is grey, else RGB. All problems of a folder
are collected before any is raised, so that one call tells everything there is to mend.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.decoded import as_tensor, scratch_folder
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.problems import EXAMPLES, Problem, data_error, listed
from rungwise.data.sources.layout import LabelledFile, Layout, read_layout
from rungwise.data.sources.picture import ImageSize, Picture, height_and_width, read_picture
from rungwise.data.sources.stack import Stack
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
        pixels: Their pixels in the same order, (N, H, W, C) uint8, mapped from a file; None when
            they cannot be stacked because sizes are mixed.
    """

    layout: Layout
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    first_of_size: dict[tuple[int, int], list[Path]] = field(
        default_factory=lambda: defaultdict(list)
    )
    readable: dict[str, list[LabelledFile]] = field(default_factory=dict)
    pixels: NDArray[np.uint8] | None = None


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
        StorageError: There is no space for the pixels.
    """
    height_and_width(image_size)
    found = Survey(read_layout(path))
    with scratch_folder() as scratch:
        stack = Stack(scratch)
        for part, file, picture in _readable(found, image_size):
            found.readable[part].append(file)
            _note(found, file, picture)
            if _of_one_size(found, image_size):
                stack.add(picture.pixels)
        if _of_one_size(found, image_size):
            found.pixels = stack.array()
    return found


def problems(found: Survey, image_size: ImageSize | None) -> list[Problem]:
    """Return all problems of a survey, errors and warnings."""
    return [
        *([_unreadable_problem(found)] if found.unreadable else []),
        *([] if _of_one_size(found, image_size) else [_mixed_problem(found)]),
        *found.layout.problems,
    ]


def assemble(found: Survey, name: str) -> Dataset:
    """Make a data set of the readable images of a survey whose `pixels` are there.

    Raises:
        DataError: The images cannot be stacked.
    """
    if found.pixels is None:
        raise DataError(
            f"the images of {found.layout.root} cannot be stacked",
            expected="images of one size",
            fix="pass an image size such as 32",
        )
    pixels, first = as_tensor(found.pixels), 0
    parts = {}
    for part, files in found.readable.items():
        labels = torch.tensor([file.label for file in files], dtype=torch.int64)
        own = pixels[first : first + len(files)]
        parts[part] = LabelledImages(own, labels, found.layout.class_names)
        first += len(files)
    return Dataset(name, parts["train"], test=parts.get("test"), validation=parts.get("validation"))


def _readable(
    found: Survey, image_size: ImageSize | None
) -> Iterator[tuple[str, LabelledFile, Picture]]:
    """Yield each picture with its part and file; note those that cannot be read."""
    for part, files in found.layout.parts.items():
        found.readable[part] = []
        for file in files:
            try:
                picture = read_picture(file.path, image_size=image_size)
            except DataError as error:
                found.unreadable.append((file.path, _reason(error, file.path)))
            else:
                yield part, file, picture


def _of_one_size(found: Survey, image_size: ImageSize | None) -> bool:
    return image_size is not None or len(found.sizes) < 2


def _note(found: Survey, file: LabelledFile, picture: Picture) -> None:
    found.sizes[picture.size] += 1
    found.modes[picture.mode] += 1
    if len(first := found.first_of_size[picture.size]) < EXAMPLES:
        first.append(file.path)


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
