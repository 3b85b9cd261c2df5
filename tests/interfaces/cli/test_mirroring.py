"""Whoever mirrors images that look like other classes in a mirror is told before training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rungwise.augment import AUGMENTATIONS
from rungwise.augment.views import VIEWS
from rungwise.data import check, load
from rungwise.data.catalog import CATALOG
from rungwise.data.mirroring import check_mirroring
from rungwise.data.spec import parse_spec
from rungwise.interfaces.mirroring import IMAGES_BEFORE_TRAINING
from rungwise.ladder.presets import LADDERS

WARNING = "warning: images mirrored left-right look like other classes, most of all "


@pytest.mark.parametrize("setting", ["augment=[flip]", "augment=[mirrored-copies]", "views=mirror"])
def test_a_dry_run_of_a_recipe_that_mirrors_digits_warns(
    rungwise: Any, here: Path, setting: str
) -> None:
    result = rungwise("train", "digits", "--recipe", "tiny.yaml", "--set", setting, "--dry-run")
    assert result.code == 0
    assert result.err.count(WARNING) == 1
    name = setting.split("=")[1].strip("[]")
    assert f"fix: leave out what mirrors images here: {name}\n" in result.err
    assert "warning" not in result.out


def test_a_training_warns_once_and_a_run_that_is_found_does_not(rungwise: Any, here: Path) -> None:
    words = ("train", "digits", "--recipe", "tiny.yaml", "--set", "augment=[flip]", "--json")
    first, second = rungwise(*words), rungwise(*words)
    assert (first.code, first.err.count("warning:")) == (0, 1)
    assert (second.code, second.err) == (0, "")
    assert first.json["run"] == second.json["run"]


def test_a_climb_warns_once(rungwise: Any, here: Path) -> None:
    words = ("--data", "digits", "--rungs", "padding", "mirror", "--epochs", "1", "--dry-run")
    result = rungwise("climb", "fashion-mnist", *words)
    assert (result.code, result.err.count(WARNING)) == (0, 1)


def test_nobody_is_warned_where_nothing_mirrors_or_nothing_is_known(
    rungwise: Any, here: Path, photos: Path
) -> None:
    plain = rungwise("train", "digits", "--recipe", "tiny.yaml", "--dry-run")
    assert (plain.code, plain.err) == (0, "")
    few = rungwise("train", photos, "--recipe", "tiny.yaml", "--set", "augment=[flip]", "--dry-run")
    assert (few.code, few.err) == (0, "")


MIRRORED = {
    parse_spec(ladder.data, CATALOG).source
    for ladder in LADDERS.values()
    if any(rung.recipe.mirrors for rung in ladder.rungs)
}


@pytest.mark.parametrize("name", sorted(MIRRORED))
def test_no_ladder_mirrors_data_of_its_own_that_contradict(
    name: str, real_data: Callable[[str], Path]
) -> None:
    real_data(name)
    found = check_mirroring(load(name).train, most_images=IMAGES_BEFORE_TRAINING)
    assert found is not None and found.keeps_class


def test_the_check_notes_it_and_names_all_that_mirrors() -> None:
    report = check("digits")
    (note,) = report.problems
    assert (note.kind, note.severity) == ("mirroring", "note")
    assert note.examples[0] == "5: 97% recognised, 0% mirrored, mostly taken for 7"
    means = [name for name, kind in (AUGMENTATIONS | VIEWS).items() if kind.mirrors]
    assert all(name in note.fix for name in means)
    assert report.ok
    assert report.to_dict()["mirroring"]["keeps_class"] is False


def test_the_check_prints_it_as_no_warning(rungwise: Any, here: Path) -> None:
    result = rungwise("data", "check", "digits")
    assert result.code == 0
    assert "\nnote: images mirrored left-right look like other classes" in result.out
    assert result.out.endswith("no errors, no warnings\n")
