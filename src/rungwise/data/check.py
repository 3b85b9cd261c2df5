"""A look through a data set before training: what is broken, odd, or there twice."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rungwise.data.catalog import CATALOG, load
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.problems import EXAMPLES, Problem
from rungwise.data.sources.folder import Survey, assemble, problems, survey
from rungwise.data.sources.picture import ImageSize
from rungwise.data.spec import parse_spec
from rungwise.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Images that are there more than once, bit for bit.

    Args:
        where: A part's name for copies inside it; `across` for copies in more than one part;
            `conflicting` for copies with different labels, wherever they are.
        groups: Number of different images that have copies.
        images: Number of images in these groups, first ones included.
        examples: The first few groups, each a few places such as `train[17]` or a file.
    """

    where: str
    groups: int
    images: int
    examples: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {
            "where": self.where,
            "groups": self.groups,
            "images": self.images,
            "examples": [list(group) for group in self.examples],
        }


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check found.

    Args:
        data: The spec or name that was checked.
        class_names: The classes, in the order of their labels.
        shape: (C, H, W); None where the images have no common shape.
        counts: Number of readable images by part and class.
        duplicates: Exact copies, by where they are.
        problems: Errors first, then warnings.
    """

    data: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int] | None
    counts: dict[str, dict[str, int]]
    duplicates: tuple[Duplicates, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on: there may be warnings, but no error."""
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
            "problems": [problem.to_dict() for problem in self.problems],
        }


def check(spec: str, *, offline: bool = False, image_size: ImageSize | None = None) -> CheckReport:
    """Check what a spec names; broken data make a report, not an exception.

    Args:
        spec: As for `load`; of a folder every file is looked at, whatever the first ones hold.
        offline: Never download.
        image_size: As for `load`.

    Raises:
        UnknownNameError: `spec` is neither a name of the catalog nor a path.
        ConfigError: `@n` or `image_size` is impossible.
        StorageError: A download cannot be written.
    """
    wanted = parse_spec(spec, CATALOG)
    try:
        if wanted.path is not None and wanted.path.is_dir():
            report = check_folder(wanted.path, image_size=image_size)
            return _with_subset_problem(report, wanted.per_class)
        return check_dataset(load(spec, offline=offline, image_size=image_size))
    except DataError as error:
        return _report(spec, None, [_as_problem(error)])


def check_folder(path: Path, *, image_size: ImageSize | None = None) -> CheckReport:
    """Check an image folder: all unreadable files, odd sizes and modes, empty classes, copies.

    Raises:
        ConfigError: `image_size` is impossible.
        DataError: There is no class folder to look into.
    """
    found = survey(path, image_size=image_size)
    noted = [*problems(found, image_size), *_mode_problems(found)]
    if found.pixels is None or not found.sizes:
        return _report(str(path), None, noted, survey_counts(found), found.layout.class_names)
    names = {
        part: [str(file.path.relative_to(path)) for file in files]
        for part, files in found.readable.items()
    }
    return check_dataset(assemble(found, str(path)), names=names, noted=noted)


def check_dataset(
    dataset: Dataset,
    *,
    names: dict[str, list[str]] | None = None,
    noted: Iterable[Problem] = (),
) -> CheckReport:
    """Check images in memory: counts by class and exact copies.

    Args:
        dataset: What to check.
        names: File names by part, for the examples; places such as `train[17]` by default.
        noted: Problems that are known already.
    """
    parts = dataset.parts
    copies = tuple(find_duplicates(parts, names or {}))
    counts = {
        part: dict(zip(data.class_names, data.class_counts(), strict=True))
        for part, data in parts.items()
    }
    noted = [*noted, *map(_copies_problem, copies)]
    if not any(problem.kind in ("empty_class", "empty_part") for problem in noted):
        noted += _empty_class_problems(counts["train"])
    shape = dataset.train.shape
    return _report(dataset.name, shape, noted, counts, dataset.train.class_names, duplicates=copies)


def find_duplicates(
    parts: dict[str, LabelledImages], names: dict[str, list[str]]
) -> Iterable[Duplicates]:
    """Yield the exact copies inside each part, across parts, and with conflicting labels."""
    groups: dict[bytes, list[tuple[str, int]]] = {}
    for part, data in parts.items():
        images = (image for chunk in data.chunks() for image in chunk.contiguous().numpy())
        for i, image in enumerate(images):
            digest = hashlib.blake2b(image.data, digest_size=16).digest()
            groups.setdefault(digest, []).append((part, i))
    copies = [group for group in groups.values() if len(group) > 1]
    for part in parts:
        inside = [[place for place in group if place[0] == part] for group in copies]
        yield from _duplicates(part, [group for group in inside if len(group) > 1], names)
    across = [group for group in copies if len({part for part, _ in group}) > 1]
    yield from _duplicates("across", across, names)
    labels = {part: data.labels.tolist() for part, data in parts.items()}
    conflicting = [g for g in copies if len({labels[part][i] for part, i in g}) > 1]
    yield from _duplicates("conflicting", conflicting, names)


def survey_counts(found: Survey) -> dict[str, dict[str, int]]:
    """Return the number of readable images of a folder by part and class."""
    tallies = {part: Counter(f.label for f in files) for part, files in found.readable.items()}
    return {
        part: {name: tally[label] for label, name in enumerate(found.layout.class_names)}
        for part, tally in tallies.items()
    }


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


def _duplicates(
    where: str, groups: Sequence[Sequence[tuple[str, int]]], names: dict[str, list[str]]
) -> Iterable[Duplicates]:
    if groups:
        examples = [
            tuple(names[part][i] if part in names else f"{part}[{i}]" for part, i in group)
            for group in groups[:EXAMPLES]
        ]
        yield Duplicates(
            where=where,
            groups=len(groups),
            images=sum(map(len, groups)),
            examples=tuple(group[:EXAMPLES] for group in examples),
        )


def _report(
    data: str,
    shape: tuple[int, int, int] | None,
    noted: Iterable[Problem],
    counts: dict[str, dict[str, int]] | None = None,
    class_names: tuple[str, ...] = (),
    duplicates: tuple[Duplicates, ...] = (),
) -> CheckReport:
    return CheckReport(
        data=data,
        class_names=class_names,
        shape=shape,
        counts=counts or {},
        duplicates=duplicates,
        problems=tuple(sorted(noted, key=lambda problem: problem.severity != "error")),
    )


def _as_problem(error: DataError) -> Problem:
    return Problem(
        severity="error",
        kind="unusable",
        problem=error.problem,
        expected=error.expected or "data that can be loaded",
        fix=error.fix or "mend the data",
    )


def _copies_problem(copies: Duplicates) -> Problem:
    places = {"across": "in more than one part", "conflicting": "under different labels"}
    where = places.get(copies.where, f"more than once in {copies.where}")
    fixes = {
        "across": "remove them from training: what was trained on cannot be tested on",
        "conflicting": "look at them and keep the right label",
    }
    return Problem(
        severity="warning",
        kind=f"duplicates_{copies.where}",
        problem=f"{copies.groups} images are there {where}, bit for bit "
        f"({copies.images} counted with their copies)",
        expected="every image once",
        fix=fixes.get(copies.where, "remove the copies unless they are meant"),
        count=copies.images,
        examples=tuple(" = ".join(group) for group in copies.examples),
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


def _mode_problems(found: Survey) -> list[Problem]:
    if len(found.modes) < 2:
        return []
    told = tuple(f"{mode}: {count}" for mode, count in found.modes.most_common())
    return [
        Problem(
            severity="warning",
            kind="mixed_modes",
            problem=f"the files store pixels in {len(told)} ways: {', '.join(told)}",
            expected="one way, so that no class is told by its file format",
            fix="nothing must be done: all become grey, or RGB if one file has colour",
            count=len(told),
            examples=told,
        )
    ]
