"""`rungwise data`: list, get, check and show data sets."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from rungwise.errors import DataError
from rungwise.interfaces.cli.options import BadFiles, Output, Switch, WatchedOutput
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import counted

if TYPE_CHECKING:
    from rungwise.data import CheckReport

MOST_CLASSES = 200
"""How many rows of a table can be read; the rest is counted."""

data = App(name="data", help="List, get, check and show data sets.", result_action="return_none")


@data.command(name="list")
def list_sets(*, output: Output = Output()) -> None:
    """List the named data sets and whether they are on this machine."""
    from rungwise.data import CATALOG
    from rungwise.interfaces.cli.doctor import where

    rows = [
        {
            "name": name,
            "description": entry.description,
            "classes": len(entry.class_names),
            "shape": list(entry.shape),
            "images": dict(entry.counts),
            "where": where(name),
        }
        for name, entry in CATALOG.items()
    ]
    if output.json:
        print_json(rows)
        return
    print_table(
        ["name", "images", "shape", "what", "where"],
        [
            [
                name,
                " + ".join(f"{count:,} {part}" for part, count in entry.counts.items()),
                "x".join(map(str, entry.shape)),
                entry.description,
                where(name),
            ]
            for name, entry in CATALOG.items()
        ],
        left=5,
    )


@data.command
def get(name: str, *, offline: Switch = False) -> None:
    """Download a named data set, unless it is here already; prints its folder.

    Args:
        name: One of `rungwise data list`.
        offline: Only look for it.
    """
    from rungwise.data import CATALOG
    from rungwise.data import get as find

    folder = find(name, offline=offline)
    print(folder if CATALOG[name].origin.downloads() else "inside scikit-learn")


@data.command
def check(
    data: str,
    *,
    image_size: int | None = None,
    test_share: float | None = None,
    strict: Switch = False,
    offline: Switch = False,
    output: WatchedOutput = WatchedOutput(),
) -> None:
    """Check a data set: counts, shapes, duplicates, unreadable files. Exit code 3 on errors.

    Args:
        data: A named set, a folder, a .csv, .tsv or .parquet table of images, or a .npz file.
        image_size: Check as for a training with this --image-size.
        test_share: Check as for a training with this --test-share.
        strict: Exit with 3 on warnings, too.
        offline: Never download.
    """
    from rungwise.data import check as examine
    from rungwise.interfaces.cli.loading import LoadingBar

    with (
        LoadingBar(output.quiet) as read,
        LoadingBar(output.quiet, "comparing images") as compared,
    ):
        report = examine(
            data,
            offline=offline,
            image_size=image_size,
            test_share=test_share,
            progress=read,
            compared=compared,
        )
    if output.json:
        print_json(report.to_dict())
    else:
        _print(report)
    counts = Counter(problem.severity for problem in report.problems)
    told = [
        f"{count} {severity}{'s' if count > 1 else ''}"
        for severity, count in sorted(counts.items())
        if severity == "error" or (strict and severity == "warning")
    ]
    if told:
        raise DataError(
            f"{data} has {' and '.join(told)}",
            expected=f"data without {'errors or warnings' if strict else 'errors'}",
            fix="mend what is listed above",
        )


def _print(report: "CheckReport") -> None:
    from rungwise.data.names import shortened

    shape = "x".join(map(str, report.shape)) if report.shape else "mixed or none"
    print(f"{report.data}: {len(report.class_names)} classes, shape {shape}")
    if report.counts:
        parts = list(report.counts)
        rows = [
            [shortened(name), *(f"{report.counts[part].get(name, 0):,}" for part in parts)]
            for name in report.class_names[:MOST_CLASSES]
        ]
        if rest := len(report.class_names) - len(rows):
            rows.append([f"and {rest:,} more; --json has all", *("" for _ in parts)])
        totals = ["all", *(f"{sum(report.counts[part].values()):,}" for part in parts)]
        print_table(["class", *parts], [*rows, totals])
    for problem in report.problems:
        print(f"{problem.severity}: {problem.problem}")
        print(f"  expected: {problem.expected}")
        print(f"  fix: {problem.fix}")
        for example in problem.examples:
            print(f"    {example}")
    warnings = sum(problem.severity == "warning" for problem in report.problems)
    if report.ok:
        print(f"no errors, {counted(warnings, 'warning') if warnings else 'no warnings'}")


@data.command
def show(
    data: str,
    *,
    part: Literal["train", "test"] = "train",
    index: int | None = None,
    image_size: int | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
    to: Path = Path("picture.png"),
    offline: Switch = False,
) -> None:
    """Draw a contact sheet, or with --index one image as a heat map with its label.

    Args:
        data: A named set, a folder, a .csv, .tsv or .parquet table of images, or a .npz file.
        part: Which part of it.
        index: Number of the one image to draw, from 0.
        image_size: Resize the images of a folder or a table.
        bad_files: Whether image files that cannot be read are an error, or left out.
        test_share: Set this share of the images aside as a test part, where the data have none.
        to: Where to write the picture; .png or .svg.
        offline: Never download.
    """
    import torch

    from rungwise.data import load
    from rungwise.interfaces.cli.loading import LoadingBar, tell_notes
    from rungwise.report.pictures import contact_sheet, heat_map

    with LoadingBar(quiet=False) as bar:
        dataset = load(
            data,
            offline=offline,
            image_size=image_size,
            bad_files=bad_files,
            test_share=test_share,
            progress=bar,
        )
    tell_notes(dataset)
    images = dataset.train if part == "train" else dataset.test
    if images is None:
        raise DataError(
            f"{data} has no {part} part",
            expected="--part train",
            fix="leave --part out, or set a part aside: --test-share 0.2",
        )
    if index is None:
        print(contact_sheet(images, to).resolve())
        return
    if not 0 <= index < len(images):
        raise DataError(
            f"{data} has no {part} image {index}",
            expected=f"a number from 0 to {len(images) - 1}",
            fix="choose another --index",
        )
    label = images.class_names[int(images.labels[index])]
    image = images.gather(torch.tensor([index]))[0]
    print(heat_map(image, label, to).resolve())
