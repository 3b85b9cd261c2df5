"""All images of a listing, decoded: what is good becomes one data set, what is bad is told.

Colour is one for the whole set: grey if every file is grey, else RGB. All problems are collected
before any is raised, so that one call tells everything there is to mend.
"""

import contextlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.decoded import as_tensor, scratch_folder
from rungwise.data.images import BadFiles, Dataset, LabelledImages
from rungwise.data.names import FileNames, Names
from rungwise.data.problems import EXAMPLES, Problem, data_error, listed
from rungwise.data.sources.decoding import Decoded, decoded
from rungwise.data.sources.listing import Listing, Tally, empty_classes
from rungwise.data.sources.picture import ImageSize, Picture, height_and_width
from rungwise.data.sources.stack import Stack
from rungwise.errors import DataError

Progress = Callable[[int, int], None]
"""Called now and then with the number of files that were read, and that of all files."""

FILES_BETWEEN_PROGRESS = 100
_NOTED = frozenset(
    (
        *("unreadable", "enlarged", "ignored", "sub_folders"),
        *("shared_sub_folders", "joined_classes", "class_named_as_part", "respelled"),
        *("on_white", "black"),
    )
)
"""The kinds of warnings and notes that are printed at every loading."""


@dataclass
class Survey:
    """Everything found in the images of a listing, good and bad.

    Args:
        listing: The images by part.
        image_size: (height, width) that they were resized to.
        unreadable: Name and reason of each image that could not be decoded.
        sizes: Number of images by (height, width), as stored.
        modes: Number of images by Pillow's mode.
        first_of_size: The first few images of each size.
        on_white: Images that were composited on white, since black hid what they show.
        black: Images of which every pixel is black.
        readable: Which images of each part were decoded.
        pixels: Their pixels, part by part, (N, H, W, C) uint8, mapped from a file; None when they
            cannot be stacked because sizes are mixed.
    """

    listing: Listing
    image_size: tuple[int, int] | None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    first_of_size: dict[tuple[int, int], list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )
    on_white: Tally = field(default_factory=Tally)
    black: Tally = field(default_factory=Tally)
    readable: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    pixels: NDArray[np.uint8] | None = None

    @property
    def is_of_one_size(self) -> bool:
        """Whether the pictures can be stacked."""
        return self.image_size is not None or len(self.sizes) < 2

    def labels(self, part: str) -> NDArray[np.int64]:
        """Return the labels of a part's readable images."""
        return self.listing.parts[part].labels[self.readable[part]]


def read_listed(
    listing: Listing,
    *,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    progress: Progress | None = None,
    name: str | None = None,
) -> Dataset:
    """Decode the images of a listing into a data set.

    A listing without a test part gives none: `test` is None, and a run carves its validation
    split from the training images. A class that is missing in `test` shifts no label.

    Args:
        listing: The images.
        image_size: Side length, or (height, width), that every image is resized to, also upwards;
            needed where sizes differ.
        bad_files: Whether images that cannot be read are an error, or left out.
        progress: Told how far it is.
        name: The data set's name; the listing's source by default.

    Raises:
        ConfigError: `image_size` is impossible.
        DataError: Images cannot be read, sizes differ, a class has no image, and so on: all
            problems at once.
        StorageError: There is no space for the pixels.
    """
    found = survey(listing, image_size=image_size, progress=progress)
    told = problems(found, bad_files)
    errors = [problem for problem in told if problem.severity == "error"]
    if errors:
        raise data_error(errors)
    notes = tuple(problem.problem for problem in told if problem.kind in _NOTED)
    return replace(assemble(found, name or str(listing.source)), notes=notes)


def survey(
    listing: Listing, *, image_size: ImageSize | None = None, progress: Progress | None = None
) -> Survey:
    """Decode every image of a listing, and go on after each that fails.

    Raises:
        ConfigError: `image_size` is impossible.
        StorageError: There is no space for the pixels.
    """
    found = Survey(listing, height_and_width(image_size))
    contents = chain.from_iterable(part.contents() for part in listing.parts.values())
    with (
        scratch_folder() as scratch,
        contextlib.closing(Stack(scratch)) as stack,
        contextlib.closing(decoded(contents, found.image_size)) as pictures,
    ):
        watched = _watched(pictures, len(listing), progress)
        for part, images in listing.parts.items():
            rows = array("q")
            for row, picture in zip(range(len(images)), watched):  # noqa: B905
                if isinstance(picture, str):
                    found.unreadable.append((images.names[row], picture))
                    continue
                rows.append(row)
                _note(found, picture, images.names, row)
                if found.is_of_one_size:
                    stack.add(picture.pixels)
            found.readable[part] = np.array(rows, np.int64)
        if found.is_of_one_size:
            found.pixels = stack.array()
    return found


def problems(found: Survey, bad_files: BadFiles = "stop") -> list[Problem]:
    """Return all problems of a survey, errors and warnings."""
    return [
        *([_unreadable_problem(found, bad_files)] if found.unreadable else []),
        *([] if found.is_of_one_size else [_mixed_problem(found)]),
        *_enlarged_problem(found),
        *_emptied_problems(found),
        *_ground_problems(found),
        *found.listing.problems,
    ]


def assemble(found: Survey, name: str) -> Dataset:
    """Make a data set of the readable images of a survey whose `pixels` are there.

    Raises:
        DataError: The images cannot be stacked.
    """
    if found.pixels is None:
        raise DataError(
            f"the images of {found.listing.source} cannot be stacked",
            expected="images of one size",
            fix="pass an image size such as 32",
        )
    pixels, first = as_tensor(found.pixels), 0
    parts = {}
    for part, rows in found.readable.items():
        images = found.listing.parts[part]
        is_readable = np.zeros(len(images), np.bool_)
        is_readable[rows] = True
        parts[part] = LabelledImages(
            pixels[first : first + len(rows)],
            torch.from_numpy(found.labels(part)),
            found.listing.class_names,
            names=Names(images.names.kept(is_readable)),
        )
        first += len(rows)
    return Dataset(name, parts["train"], test=parts.get("test"), validation=parts.get("validation"))


def _watched(
    pictures: Iterable[Decoded], total: int, progress: Progress | None
) -> Iterator[Decoded]:
    for done, picture in enumerate(pictures, 1):
        if progress and (done % FILES_BETWEEN_PROGRESS == 0 or done == total):
            progress(done, total)
        yield picture


def _note(found: Survey, picture: Picture, names: FileNames, row: int) -> None:
    found.sizes[picture.size] += 1
    found.modes[picture.mode] += 1
    if len(first := found.first_of_size[picture.size]) < EXAMPLES:
        first.append(names[row])
    if picture.is_on_white:
        found.on_white.add(names[row])
    if not picture.pixels.any():
        found.black.add(names[row])


def _unreadable_problem(found: Survey, bad_files: BadFiles) -> Problem:
    told = [f"{name} ({why})" for name, why in found.unreadable]
    source, all_images = found.listing.source, len(found.listing)
    left_out = " and are left out" if bad_files == "skip" else ""
    expected = "whole image files of at most 64 megapixels"
    if source.is_file():
        expected += f"; a table's paths start from its folder, {source.absolute().parent}"
    return Problem(
        severity="error" if bad_files == "stop" else "warning",
        kind="unreadable",
        problem=f"{len(told)} of {all_images} image files of {source} cannot be read{left_out}: "
        f"{listed(told)}",
        expected=expected,
        fix="replace these files or take them out; or leave them out with --bad-files skip",
        count=len(told),
        examples=tuple(told),
    )


def _mixed_problem(found: Survey) -> Problem:
    told = _sizes_told(found, found.sizes)
    return Problem(
        severity="error",
        kind="mixed_sizes",
        problem=f"the images of {found.listing.source} have {len(told)} different sizes "
        f"(height×width): {listed(told)}",
        expected="one size for all images",
        fix="pass an image size such as 32 (--image-size 32), to which every image is resized, or "
        "resize them yourself",
        count=len(told),
        examples=tuple(told[:EXAMPLES]),
    )


def _enlarged_problem(found: Survey) -> Iterator[Problem]:
    if found.image_size is None:
        return
    height, width = found.image_size
    smaller = Counter({s: n for s, n in found.sizes.items() if s[0] < height or s[1] < width})
    if smaller:
        told = _sizes_told(found, smaller)
        yield Problem(
            severity="warning",
            kind="enlarged",
            problem=f"{smaller.total()} of {found.sizes.total()} images of {found.listing.source} "
            f"are enlarged to {height}×{width}, from {listed(told)}",
            expected="an image size no larger than the images, for enlarging adds no detail",
            fix=f"pass an image size of at most {min(map(min, smaller))}, unless this is meant",
            count=smaller.total(),
            examples=tuple(told[:EXAMPLES]),
        )


def _sizes_told(found: Survey, sizes: Counter[tuple[int, int]]) -> list[str]:
    return [
        f"{size[0]}×{size[1]} ({count}, such as {found.first_of_size[size][0]})"
        for size, count in sizes.most_common()
    ]


def _ground_problems(found: Survey) -> Iterator[Problem]:
    """Yield what hides the images: the ground below transparent ones, or nothing but black."""
    source, total = found.listing.source, found.sizes.total()
    if found.on_white.count:
        yield Problem(
            severity="warning",
            kind="on_white",
            problem=f"{found.on_white.count} of {total} images of {source} show nothing on black, "
            f"on which transparency lies, and are put on white: {found.on_white.told()}",
            expected="images without transparency, all on the same ground",
            fix="nothing must be done if all images are of this kind; else put all of them on one "
            "ground yourself",
            count=found.on_white.count,
            examples=tuple(found.on_white.examples),
        )
    if 2 * found.black.count > total:
        yield Problem(
            severity="warning",
            kind="black",
            problem=f"{found.black.count} of {total} images of {source} are black all over: "
            f"{found.black.told()}",
            expected="images that show something",
            fix="look at some of these files, and at the program that wrote them",
            count=found.black.count,
            examples=tuple(found.black.examples),
        )


def _emptied_problems(found: Survey) -> Iterator[Problem]:
    """Yield the classes and parts of which nothing can be read."""
    for part, images in found.listing.parts.items():
        place = f"the {part} part of {found.listing.source}"
        listed_labels, readable = set(images.labels.tolist()), set(found.labels(part).tolist())
        emptied = [found.listing.class_names[i] for i in sorted(listed_labels - readable)]
        if emptied and not readable:
            yield Problem(
                severity="error",
                kind="empty_part",
                problem=f"{place} has no image that can be read",
                expected="at least one image of each class",
                fix="add images, or remove the part",
            )
        elif emptied:
            yield empty_classes(place, part, emptied, "an image that can be read")
