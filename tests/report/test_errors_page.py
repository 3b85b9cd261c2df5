"""The table and the page of wrong answers: what they tell, in which order, and in a browser."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.data import Dataset, LabelledImages, draw, load
from rungwise.ladder.job import make_job
from rungwise.ladder.run import open_run
from rungwise.models import MLP
from rungwise.report import mistakes as mistakes_module
from rungwise.report.errors_page import Errors, Judged, write_errors
from rungwise.report.mistakes import mistakes, of_each_class
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

HOSTILE = ("<script>alert(1)</script>", '"><img src=//evil.example/x>', "{{ 7 * 7 }}")


def noise(count: int, names: tuple[str, ...], side: int = 8, channels: int = 1) -> LabelledImages:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, side, side, channels), generator=rng, dtype=torch.uint8)
    labels = torch.arange(count) % len(names)
    return Dataset("noise", LabelledImages(pixels, labels, names)).named().train


def judged(images: LabelledImages) -> Judged:
    return Judged(
        title="Errors of a <b>net</b>",
        predictor="runs/<b>x</b>",
        images=images,
        part="test",
        what="test images of noise",
        standing="It has not seen them.",
    )


def half_wrong(images: LabelledImages, sure: int = 0) -> torch.Tensor:
    """Answer the next class for the first half, `sure` of them with 0.9, the others by a hair.

    The other half gets its label with certainty, so that the thresholds lie in between.
    """
    count = torch.arange(len(images))
    high = torch.where(count < sure, 0.9, torch.where(count < len(images) // 2, 0.51, 0.0))
    probabilities = torch.zeros(len(images), images.classes)
    probabilities[count, (images.labels + 1) % images.classes] = high
    probabilities[count, images.labels] = 1 - high
    return probabilities


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "errors.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def sure_mistakes_are_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the rule, which has tests of its own: every wrong answer of 0.8 or more."""

    def suspected(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        confidence, answers = probabilities.max(1)
        return (answers != labels) & (confidence > 0.8)

    monkeypatch.setattr(mistakes_module, "suspected", suspected)


@pytest.mark.usefixtures("sure_mistakes_are_suspected")
def test_every_wrong_answer_has_its_row_and_suspicions_come_first(tmp_path: Path) -> None:
    images = noise(20, ("cat", "dog"))
    probabilities = torch.eye(2)[images.labels]
    probabilities[2] = torch.tensor([0.45, 0.55])
    probabilities[3] = torch.tensor([0.9, 0.1])

    found = write_errors(probabilities, judged(images), tmp_path)

    assert found == Errors(
        tmp_path / "errors.html",
        wrong=2,
        suspected=1,
        strength="the predictor is wrong on 10.00% of the images, so it is evidence against a "
        "label",
    )
    first, second = rows_of(tmp_path)
    assert first.pop("probability").startswith("0.89999")
    assert first.pop("true_class_probability").startswith("0.10000")
    assert first == {
        "part": "test",
        "position": "3",
        "image": "train[3]",
        "true_class": "dog",
        "answer": "cat",
        "suspected_label_error": "yes",
    }
    assert (second["image"], second["suspected_label_error"]) == ("train[2]", "no")


def test_a_weak_predictor_suspects_nothing_and_says_that_it_is_weak(tmp_path: Path) -> None:
    images = noise(82, ("cat", "dog"))

    found = write_errors(half_wrong(images, sure=34), judged(images), tmp_path)

    assert (found.wrong, found.suspected) == (41, 0)
    assert "50.00% of the images, so it is weak evidence" in found.page.read_text(encoding="utf-8")


def test_planted_label_errors_are_listed_first(tmp_path: Path) -> None:
    digits = load("digits")
    rng = torch.Generator().manual_seed(1)
    planted = torch.randperm(len(digits.train), generator=rng)[:72]  # a twentieth
    labels = digits.train.labels.clone()
    labels[planted] = (labels[planted] + torch.randint(1, 10, (72,), generator=rng)) % 10
    spoiled = replace(digits, train=replace(digits.train, labels=labels))
    recipe = Recipe(
        name="quick",
        model=MLP(hidden_widths=(64,)),
        validation=0.25,
        optimizer=Adam(lr=2e-3),
        epochs=20,
        batch_size=64,
        precision="float32",
    )
    job = make_job(recipe, spoiled, Seed(0), tmp_path, torch.device("cpu"))
    for _ in job.train():
        pass
    held_out = draw(spoiled, 0.25, 0).validation
    assert held_out is not None
    here = {f"train[{place}]" for place in planted.tolist()}
    here &= {held_out.name_of(place) for place in range(len(held_out))}

    probabilities = open_run(job.folder).predictor().probabilities_of(held_out)
    write_errors(probabilities, judged(held_out), job.folder)

    rows = rows_of(job.folder)
    first = [row["image"] for row in rows[: len(here)]]
    assert len(here) >= 10
    assert sum(name in here for name in first) >= 0.8 * len(here)
    assert all(row["suspected_label_error"] == "yes" for row in rows[: len(here) // 2])


def test_the_page_needs_nothing_but_itself_and_names_are_text(tmp_path: Path) -> None:
    images = noise(18, HOSTILE)

    found = write_errors(half_wrong(images), judged(images), tmp_path)

    page = found.page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link[^>]*stylesheet|@import|url\(|<b>", page)
    assert re.findall(r'src="(?!data:image/png;base64,)', page) == []
    assert re.findall(r'href="(?!data:)(.*?)"', page) == ["errors.csv"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "9 of 9 are shown" in page
    assert page.count("<img ") == 9


@pytest.mark.usefixtures("sure_mistakes_are_suspected")
def test_a_page_shows_a_few_hundred_images_and_tells_how_many_there_are(tmp_path: Path) -> None:
    images = noise(2000, ("cat", "dog"))

    found = write_errors(half_wrong(images, sure=150), judged(images), tmp_path)

    page = found.page.read_text(encoding="utf-8")
    assert page.count("<img ") == 300
    assert "300 of 1000 are shown here" in page
    assert (found.wrong, found.suspected) == (1000, 150)
    assert "150 labels may be wrong" in page
    assert "500 of 1000 images wrong, 75 of them above, 100 shown" in page
    assert "of which the first 100 are shown" in page
    assert found.page.stat().st_size < 500_000
    assert len(rows_of(tmp_path)) == 1000


def test_large_images_are_made_smaller(tmp_path: Path) -> None:
    images = noise(4, ("cat", "dog"), side=500, channels=3)

    found = write_errors(half_wrong(images), judged(images), tmp_path)

    assert found.page.stat().st_size < 150_000
    assert 'width="112" height="112"' in found.page.read_text(encoding="utf-8")


def test_no_mistake_is_told_as_such(tmp_path: Path) -> None:
    images = noise(4, ("cat", "dog"))

    found = write_errors(torch.eye(2)[images.labels], judged(images), tmp_path)

    assert (found.wrong, rows_of(tmp_path)) == (0, [])
    assert "No answer was wrong." in found.page.read_text(encoding="utf-8")


def test_no_class_is_crowded_out_by_another() -> None:
    images = noise(60, ("cat", "dog", "eel"))
    labels = images.labels.clone()
    labels[:20] = 0
    images = replace(images, labels=labels)
    wrong = mistakes(half_wrong(images), images)

    chosen = of_each_class(wrong, most=6)

    assert {name: len(own) for name, own in chosen.items()} == {"cat": 2, "dog": 2, "eel": 2}
    assert sum(map(len, of_each_class(wrong, most=100).values())) == 30


@pytest.mark.usefixtures("sure_mistakes_are_suspected")
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_browser_shows_the_page_on_every_screen(
    browser: Any, tmp_path: Path, width: int, dark: bool
) -> None:
    names = ("a class with a name of some length", "x" * 60, "eel")
    images = noise(120, names, side=28)
    found = write_errors(half_wrong(images, sure=9), judged(images), tmp_path)
    assert found.suspected == 9

    browser.show(width, dark=dark)
    browser.open(found.page.resolve().as_uri())
    browser.screenshot(tmp_path / "page.png")

    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("[...document.images].every((image) => image.naturalWidth === 28)")
    assert browser.least_contrast() >= 4.5
    assert browser.problems() == []
    assert browser.asked() == {found.page.resolve().as_uri()}
