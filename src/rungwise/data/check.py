"""A look through a data set before training: what is broken, odd, or there twice."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rungwise.data.catalog import CATALOG, load
from rungwise.data.duplicates import (
    Duplicates,
    duplicate_problems,
    find_duplicates,
    find_near_duplicates,
)
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.mirroring import Mirroring, check_mirroring, mirroring_problems
from rungwise.data.problems import EXAMPLES, LONG_EXAMPLES, SEVERITIES, Problem
from rungwise.data.sources.files import holds_files, list_images
from rungwise.data.sources.listing import Listing
from rungwise.data.sources.picture import ImageSize, height_and_width
from rungwise.data.sources.survey import Progress, Survey, assemble, problems, survey
from rungwise.data.spec import as_spec, parse_spec
from rungwise.data.split import USUAL_SHARE, with_test_share
from rungwise.errors import DataError

NARROW = 64
"""Levels of brightness, of 256, fewer than which are told: a camera's 12 bits in 16 have 16."""


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check found.

    Args:
        data: The spec or name that was checked.
        class_names: The classes, in the order of their labels.
        shape: (C, H, W); None where the images have no common shape.
        counts: Number of readable images by part and class.
        duplicates: Exact copies, by where they are.
        near_duplicates: Near duplicates likewise; None where they were not looked for.
        problems: Errors first, then warnings, then notes.
        mirroring: Whether mirrored training images keep their class; None where it cannot be told.
    """

    data: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int] | None
    counts: dict[str, dict[str, int]]
    duplicates: tuple[Duplicates, ...]
    problems: tuple[Problem, ...]
    near_duplicates: tuple[Duplicates, ...] | None = None
    mirroring: Mirroring | None = None

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on: there may be warnings and notes, but no error."""
        return all(problem.severity != "error" for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {
            "data": self.data,
            "ok": self.ok,
            "classes": list(self.class_names),
            "shape": list(self.shape) if self.shape else None,
            "counts": self.counts,
            "duplicates": [entry.to_dict() for entry in self.duplicates],
            "near_duplicates": None
            if self.near_duplicates is None
            else [entry.to_dict() for entry in self.near_duplicates],
            "mirroring": self.mirroring.to_dict() if self.mirroring else None,
            "problems": [problem.to_dict() for problem in self.problems],
        }


def check(
    source: str | Path,
    *,
    offline: bool = False,
    image_size: ImageSize | None = None,
    test_share: float | None = None,
    progress: Progress | None = None,
    compared: Progress | None = None,
) -> CheckReport:
    """Check what a spec names; broken data make a report, not an exception.

    Args:
        source: As for `load`; of a folder or a table every file is looked at, whatever the first
            ones hold.
        offline: Never download.
        image_size: As for `load`.
        test_share: As for `load`.
        progress: As for `load`.
        compared: Called now and then with the number of images that were compared with all others,
            and of all.

    Raises:
        UnknownNameError: `source` is neither a name of the catalog nor a path.
        UsageError: The table needs an extra that is not installed.
        ConfigError: `@n` or `image_size` is impossible.
        StorageError: A download cannot be written.
    """
    spec = as_spec(source)
    wanted = parse_spec(spec, CATALOG)
    height_and_width(image_size)
    try:
        if wanted.path is not None and holds_files(wanted.path):
            report = check_listing(
                list_images(wanted.path), image_size, progress, compared, test_share
            )
            return _with_subset_problem(report, wanted.per_class)
        dataset = load(spec, offline=offline, image_size=image_size, test_share=test_share)
        return check_dataset(dataset, noted=map(_note, dataset.notes), compared=compared)
    except DataError as error:
        return _report(spec, None, [Problem.of(error)])


def check_listing(
    listing: Listing,
    image_size: ImageSize | None = None,
    progress: Progress | None = None,
    compared: Progress | None = None,
    test_share: float | None = None,
) -> CheckReport:
    """Check listed images: all unreadable files, odd sizes and modes, empty classes, copies.

    Raises:
        ConfigError: `image_size` or `test_share` is impossible.
        DataError: The test share leaves a part without images.
    """
    found = survey(listing, image_size=image_size, progress=progress)
    noted = [*problems(found), *_mode_problems(found)]
    name = str(listing.source)
    if found.pixels is None or not found.sizes:
        return _report(name, None, noted, survey_counts(found), listing.class_names)
    dataset = assemble(found, name)
    if test_share is not None:
        dataset = with_test_share(dataset.named(), test_share)
    return check_dataset(dataset, noted=noted, compared=compared)


def check_dataset(
    dataset: Dataset, *, noted: Iterable[Problem] = (), compared: Progress | None = None
) -> CheckReport:
    """Check images in memory: counts by class, exact and near copies, what mirroring does to them.

    Args:
        dataset: What to check.
        noted: Problems that are known already.
        compared: As for `check`.
    """
    parts = dataset.named().parts
    copies = tuple(find_duplicates(parts))
    near = find_near_duplicates(parts, compared)
    images = sum(map(len, parts.values()))
    counts = {
        part: dict(zip(data.class_names, data.class_counts(), strict=True))
        for part, data in parts.items()
    }
    mirroring = check_mirroring(dataset.train)
    noted = [*noted, *duplicate_problems(copies, near, images), *mirroring_problems(mirroring)]
    noted += _brightness_problems(dataset.train)
    if not any(problem.kind in ("empty_class", "empty_part") for problem in noted):
        noted += _empty_class_problems(counts["train"])
    if dataset.validation is None:
        noted += _tiny_class_problems(counts["train"])
    return _report(
        dataset.name,
        dataset.train.shape,
        noted,
        counts,
        dataset.train.class_names,
        duplicates=copies,
        near_duplicates=near,
        mirroring=mirroring,
    )


def survey_counts(found: Survey) -> dict[str, dict[str, int]]:
    """Return the number of readable images by part and class."""
    names = found.listing.class_names
    counts = {
        part: np.bincount(found.labels(part), minlength=len(names)).tolist()
        for part in found.listing.parts
    }
    return {part: dict(zip(names, tallies, strict=True)) for part, tallies in counts.items()}


def _with_subset_problem(report: CheckReport, per_class: int | None) -> CheckReport:
    """Add an error where the training part is too small for the subset of `@n`."""
    counts = report.counts["train"]
    name = min(counts, key=counts.__getitem__)
    if per_class is None or counts[name] >= per_class:
        return report
    problem = Problem(
        severity="error",
        kind="subset",
        problem=f"class {name!r} has {counts[name]} training images, fewer than {per_class}",
        expected="as many images in every class as the subset draws of each",
        fix=f"ask for at most @{counts[name]}, or add images",
    )
    return replace(report, problems=(problem, *report.problems))


def _note(note: str) -> Problem:
    return Problem(
        severity="note",
        kind="converted",
        problem=note,
        expected="that this is what was meant",
        fix="nothing must be done; otherwise save the arrays so that they have one meaning",
    )


def _report(
    data: str,
    shape: tuple[int, int, int] | None,
    noted: Iterable[Problem],
    counts: dict[str, dict[str, int]] | None = None,
    class_names: tuple[str, ...] = (),
    duplicates: tuple[Duplicates, ...] = (),
    near_duplicates: tuple[Duplicates, ...] | None = None,
    mirroring: Mirroring | None = None,
) -> CheckReport:
    return CheckReport(
        data=data,
        class_names=class_names,
        shape=shape,
        counts=counts or {},
        duplicates=duplicates,
        near_duplicates=near_duplicates,
        problems=tuple(sorted(noted, key=lambda problem: SEVERITIES.index(problem.severity))),
        mirroring=mirroring,
    )


def _empty_class_problems(counts: dict[str, int]) -> list[Problem]:
    empty = [name for name, count in counts.items() if not count]
    if not empty:
        return []
    return [
        Problem(
            severity="error",
            kind="empty_class",
            problem=f"{len(empty)} classes have no training image that can be read",
            expected="at least one image of each class",
            fix="add images of these classes, or remove the classes",
            count=len(empty),
            examples=tuple(empty[:EXAMPLES]),
        )
    ]


def _tiny_class_problems(counts: dict[str, int]) -> list[Problem]:
    fewest = math.ceil(1 / USUAL_SHARE)
    tiny = [f"{name}: {count}" for name, count in counts.items() if 0 < count < fewest]
    if not tiny:
        return []
    return [
        Problem(
            severity="warning",
            kind="tiny_classes",
            problem=f"{len(tiny)} of {len(counts)} classes have under {fewest} training images",
            expected=f"{fewest} or more of each class, so that the share of {USUAL_SHARE} that is "
            "held out to validate with has one of them",
            fix="add images of these classes, or a validation part",
            count=len(tiny),
            examples=tuple(tiny[:LONG_EXAMPLES]),
        )
    ]


def _brightness_problems(train: LabelledImages) -> list[Problem]:
    extremes = [images.aminmax() for images in train.chunks()]
    darkest = min((int(one.min) for one in extremes), default=0)
    brightest = max((int(one.max) for one in extremes), default=255)
    if brightest - darkest >= NARROW:
        return []
    told = f"the pixels of all training images lie between {darkest} and {brightest}, of 0 to 255"
    if darkest == brightest:
        told = f"every pixel of the training images is {darkest}"
    return [
        Problem(
            severity="warning",
            kind="narrow_brightness",
            problem=told,
            expected="images that use most of the levels; few levels show few details, and 12 bits "
            "that are stored as 16 keep 16 of 256 levels",
            fix="stretch the values before you save the images: each times the greatest possible "
            "one (255 or 65535), divided by the greatest that occurs",
        )
    ]


def _mode_problems(found: Survey) -> list[Problem]:
    if len(found.modes) < 2:
        return []
    told = tuple(f"{mode}: {count}" for mode, count in found.modes.most_common())
    return [
        Problem(
            severity="note",
            kind="mixed_modes",
            problem=f"the files store pixels in {len(told)} ways: {', '.join(told)}",
            expected="one way, so that no class is told by its file format",
            fix="nothing must be done: all become grey, or RGB if one file has colour",
            count=len(told),
            examples=told,
        )
    ]
