"""What a predictor got wrong: a page with the images, and a table with all of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rungwise.data import LabelledImages
from rungwise.ladder.numbers import counted, percent
from rungwise.report.mistakes import Mistake, certainty, mistakes, of_each_class, ranked
from rungwise.report.page import render_page
from rungwise.report.pictures import png_url
from rungwise.report.tables import error_table
from rungwise.storage import write_text

PAGE_NAME = "errors.html"
MOST_SUSPECTED = 100
MOST_OTHERS = 200
WEAK = 0.2
"""Share of wrong answers above which a predictor finds few of the wrong labels (decision 37)."""
SIDE = 112
"""About how many pixels of the page an image is wide or high; larger ones are made smaller."""


@dataclass(frozen=True)
class Judged:
    """What was judged, for the page to tell.

    Args:
        title: Of the page: whose errors they are.
        predictor: Where it lies, and what it consists of.
        images: Whose labels are compared with the answers.
        part: What the images are to the predictor, in a word: test, validation or all.
        what: What they are, in words.
        standing: A sentence: whether the predictor was trained on them.
    """

    title: str
    predictor: str
    images: LabelledImages
    part: str
    what: str
    standing: str


@dataclass(frozen=True)
class Errors:
    """What was found, and where it is told.

    Args:
        page: `errors.html`.
        wrong: How many answers are wrong.
        suspected: Of how many of those the label is suspected.
        strength: How far the answers are evidence against a label, in words.
    """

    page: Path
    wrong: int
    suspected: int
    strength: str


def write_errors(probabilities: torch.Tensor, judged: Judged, folder: Path) -> Errors:
    """Write `errors.csv`, a row for each wrong answer, and `errors.html`, with their images.

    Args:
        probabilities: (N, K) float, of the N images.
        judged: What they are of.
        folder: Where to; what an earlier evaluation has written there is replaced.

    Raises:
        StorageError: The folder cannot be written.
    """
    wrong = ranked(mistakes(probabilities, judged.images))
    suspected = [mistake for mistake in wrong if mistake.suspected]
    error_table(wrong, judged.part).write(folder)
    page = folder / PAGE_NAME
    write_text(page, _render(judged, wrong, suspected))
    told = strength(len(judged.images), len(wrong))
    return Errors(page, len(wrong), len(suspected), told)


def _render(judged: Judged, wrong: Sequence[Mistake], suspected: Sequence[Mistake]) -> str:
    shown = suspected[:MOST_SUSPECTED]
    others = of_each_class([one for one in wrong if not one.suspected], MOST_OTHERS)
    classes = _classes(judged.images, others, wrong)
    return render_page(
        "errors.html",
        title=judged.title,
        facts=_facts(judged, len(wrong), len(suspected)),
        total=len(wrong),
        shown=len(shown) + sum(len(one["tiles"]) for one in classes),
        suspected=[_tile(one) for one in shown],
        suspected_note=_suspected_note(len(suspected), len(shown)),
        classes=classes,
    )


def _facts(judged: Judged, wrong: int, suspected: int) -> list[tuple[str, str]]:
    total = len(judged.images)
    return [
        ("Predictor", judged.predictor),
        ("Judged on", f"{total} {judged.what}. {judged.standing}"),
        ("Wrong answers", f"{wrong}; accuracy {percent((total - wrong) / total)}"),
        ("Suspected label errors", f"{suspected}; {strength(total, wrong)}"),
    ]


def strength(images: int, wrong: int) -> str:
    """Say how far the answers are evidence against a label.

    >>> strength(82, 34)
    'the predictor is wrong on 41.46% of the images, so it is weak evidence against a label'
    >>> strength(45, 0)
    'the predictor is right on all images'
    """
    if not wrong:
        return "the predictor is right on all images"
    weak = wrong > WEAK * images
    evidence = "weak evidence" if weak else "evidence"
    return (
        f"the predictor is wrong on {percent(wrong / images)} of the images, "
        f"so it is {evidence} against a label"
    )


def _suspected_note(count: int, shown: int) -> str:
    first = "" if shown == count else f", of which the first {shown} are shown"
    return f"{counted(count, 'label')} may be wrong rather than the answer{first}."


def _classes(
    images: LabelledImages, others: dict[str, list[Mistake]], wrong: Sequence[Mistake]
) -> list[dict[str, Any]]:
    """Return what is told of each class with mistakes, in the order of the labels."""
    of_class = dict(zip(images.class_names, images.class_counts(), strict=True))
    wrong_of = Counter(one.truth for one in wrong)
    suspected_of = Counter(one.truth for one in wrong if one.suspected)
    return [
        {
            "name": name,
            "counts": _counts(
                wrong_of[name], suspected_of[name], len(others[name]), of_class[name]
            ),
            "tiles": [_tile(one) for one in others[name]],
        }
        for name in images.class_names
        if others.get(name)
    ]


def _counts(wrong: int, suspected: int, shown: int, images: int) -> str:
    told = [f"{wrong} of {counted(images, 'image')} wrong"]
    told += [f"{suspected} of them above"] if suspected else []
    told += [f"{shown} shown"] if shown + suspected < wrong else []
    return ", ".join(told)


def _tile(mistake: Mistake) -> dict[str, Any]:
    image = mistake.image
    height, width = image.shape[:2]
    longest = max(height, width)
    # Each pixel as a whole number of the page's pixels, or some would come out wider than others.
    scale = SIDE // longest if longest <= SIDE else SIDE / longest
    return {
        "source": png_url(image, SIDE),
        "width": max(1, round(width * scale)),
        "height": max(1, round(height * scale)),
        "name": mistake.name,
        "truth": mistake.truth,
        "answer": mistake.answer,
        "probability": certainty(mistake.probability),
        "truth_probability": certainty(mistake.truth_probability),
    }
