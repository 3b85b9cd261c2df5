"""`rungwise.climb`: ladders by name and by hand, and settings that cannot be."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rungwise
from rungwise.augment import Flip
from rungwise.data import Dataset, LabelledImages, from_arrays, load
from rungwise.errors import DataError, UnknownNameError, UsageError
from rungwise.interfaces import climbing
from rungwise.ladder.climb import Climb, Notice, RungMeasured
from rungwise.models import MLP
from rungwise.training.recipe import Recipe


@pytest.fixture(autouse=True)
def no_page(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no page: that is the report's own test."""
    monkeypatch.setattr(climbing, "write_climb_report", lambda *_: None)


def own_ladder() -> rungwise.Ladder:
    narrow = Recipe(name="narrow", model=MLP(hidden_widths=(4,)), epochs=1, validation=0.2)
    wide = replace(narrow, name="wide", model=MLP(hidden_widths=(8,)))
    first = rungwise.Rung(recipe=narrow, change="four units")
    second = rungwise.Rung(recipe=wide, change="+ four units <more>", base="narrow")
    return rungwise.Ladder(name="own", data="squares", title="Own", rungs=(first, second))


def own_data() -> Dataset:
    """Return digits under another name: 200 images to train, 40 to test, from arrays."""
    whole = load("digits")
    assert whole.test is not None
    pixels = torch.from_numpy(np.array(whole.train.images[:200].numpy()))
    train = LabelledImages(pixels, whole.train.labels[:200], whole.train.class_names)
    return replace(whole, name="squares", train=train, test=whole.test.take(torch.arange(40)))


def test_a_ladder_and_data_made_in_python_are_climbed() -> None:
    events: list[Any] = []

    result = rungwise.climb(own_ladder(), data=own_data(), seeds=2, watch=events.append)

    assert (result.data, result.seeds, len(result.rungs)) == ("squares", (0, 1), 2)
    assert result.rung("wide").gain is not None
    assert len([event for event in events if isinstance(event, RungMeasured)]) == 4
    assert isinstance(events[-1], Notice)
    assert (result.folder / "climb.json").is_file()
    assert result.report == result.folder / "report.html"
    check_what_is_shown(result)


def check_what_is_shown(result: Any) -> None:
    text, html = repr(result), result._repr_html_()
    assert text.splitlines()[0] == "Own [squares, 2 seeds]"
    assert "Protocol: sealed" in text
    assert "+ four units <more>" in text
    assert "+ four units &lt;more&gt;" in html
    assert html.count("<tr>") == 3
    with pytest.raises(UnknownNameError, match="did you mean 'wide'"):
        result.rung("wid")


def test_a_ladder_shows_its_rungs_in_a_notebook() -> None:
    html = own_ladder()._repr_html_()

    assert "<h4>Own [squares]</h4>" in html
    assert "<td>wide</td><td>+ four units &lt;more&gt;</td><td>narrow</td>" in html


def test_a_fit_saves_a_net_of_all_training_images() -> None:
    result = rungwise.climb(own_ladder(), data=own_data(), seeds=1, fit=True)

    assert result.final is not None
    assert result.final.train_images == 200
    predictor = rungwise.Predictor.load(result.final.model)
    assert predictor.probabilities(own_data().train.images[:3]).shape == (3, 10)


def prepared(ladder: str | Path | Dataset | rungwise.Ladder = "digits", **changes: Any) -> Climb:
    settings: dict[str, Any] = dict.fromkeys(("data", "seeds", "budget", "epochs"))
    settings |= {"reading": "cumulative", "rungs": (), "protocol": "sealed", "fit": False}
    settings |= {"fit_seeds": None}
    settings |= {"out": Path("runs"), "device": "cpu", "offline": True}
    return climbing.prepare_climb(ladder, **{**settings, **changes})


def test_seeds_are_three_and_with_a_budget_at_most_twenty_four() -> None:
    assert prepared().seeds == (0, 1, 2)
    assert prepared(budget=60.0).seeds == tuple(range(24))
    assert prepared(budget=60.0, seeds=5).seeds == (0, 1, 2, 3, 4)


def test_a_budget_ends_with_a_net_to_use() -> None:
    assert not prepared().fits
    assert prepared(budget=60.0).fits == 1


def test_a_reading_reads_the_chosen_rungs_alone() -> None:
    work = prepared(rungs=["cnn", "decay", "augmentation"], reading="add-one")

    assert work.ladder.reading == "add-one"
    assert {rung.base for rung in work.ladder.rungs} == {None, "cnn"}


def test_epochs_change_every_rung() -> None:
    assert {rung.recipe.epochs for rung in prepared(epochs=2).ladder.rungs} == {2}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": -1}, "seeds is -1"),
        ({"seeds": "3"}, "seeds is '3'"),
        ({"seeds": 1.0}, "seeds is 1.0"),
        ({"seeds": True}, "seeds is True"),
        ({"epochs": "1"}, "epochs is '1'"),
        ({"fit_seeds": 0}, "fit_seeds is 0"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": math.nan}, "budget is nan"),
        ({"budget": "20x"}, "budget is '20x'"),
        ({"device": None}, "the device is 'None'"),
        ({"data": b"./photos"}, "the data set is a bytes"),
        ({"reading": "add-on"}, "did you mean 'add-one'"),
        ({"protocol": "articel"}, "did you mean 'article'"),
        ({"protocol": "article"}, "follows no article"),
        ({"rungs": ["cnnn"]}, "did you mean 'cnn'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(
    setting: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        rungwise.climb("digits", **setting)
    assert not Path("runs").exists()


def test_a_page_is_drawn_again_only_if_the_records_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(folder: Path, dataset: Dataset) -> None:
        drawn.append(folder)
        (folder / "report.html").write_text("a page")

    monkeypatch.setattr(climbing, "write_climb_report", draw)
    counts = []
    for seeds in (1, 1, 2, 2):
        rungwise.climb(own_ladder(), data=own_data(), seeds=seeds)
        counts.append(len(drawn))

    assert counts == [1, 1, 2, 2]


def test_a_climb_needs_images_to_measure_on() -> None:
    ladder = own_ladder().changed(lambda recipe: replace(recipe, validation=0.0))

    with pytest.raises(UsageError, match="no images to measure"):
        rungwise.climb(ladder, data=replace(own_data(), test=None))


def test_a_number_of_seeds_to_fit_implies_fitting_and_excludes_a_budget() -> None:
    assert prepared(fit_seeds=5).fits == 5
    assert prepared(fit=True).fits == 1
    assert prepared().fits == 0
    with pytest.raises(UsageError, match="a budget and a number of seeds to fit"):
        prepared(fit_seeds=2, budget=60.0)
    with pytest.raises(UsageError, match="fit_seeds is 0"):
        prepared(fit_seeds=0)


@pytest.mark.parametrize("options", [{"image_size": 8}, {"bad_files": "skip"}])
def test_how_to_load_has_no_effect_on_a_loaded_set(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="for a data set that is loaded"):
        prepared(data=rungwise.load("digits"), **options)


def test_a_data_set_is_climbed_with_the_general_ladder() -> None:
    short, long = prepared("digits@100", budget=20.0), prepared("digits@100", budget=3600.0)

    assert (short.ladder.name, short.ladder.data) == ("general", "digits@100")
    assert short.dataset.name == "digits@100"
    widths = [work.ladder.rungs[0].recipe.model.widths for work in (short, long)]  # type: ignore[attr-defined]
    assert widths[0] < widths[1]
    assert prepared("digits").ladder.name == "digits"


def test_a_data_set_or_its_path_may_stand_first(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    np.savez(tmp_path / "x.npz", images=pixels, labels=np.arange(60) % 2)
    own = from_arrays(pixels, np.arange(60) % 2)

    by_set, by_path = prepared(own, budget="20m"), prepared(tmp_path / "x.npz", budget="20m")

    assert by_set.dataset is own
    assert (by_set.ladder.name, by_set.ladder.data) == ("general", "arrays")
    assert by_path.ladder.data == str(tmp_path / "x.npz")
    assert by_path.dataset.fingerprint == own.fingerprint
    assert by_set.budget is not None and by_set.budget.seconds == 1200
    with pytest.raises(UsageError, match="leave arrays or the other data out"):
        prepared(own, data="digits")
    with pytest.raises(UsageError, match="for a data set that is loaded"):
        prepared(own, image_size=8)
    with pytest.raises(UsageError, match=r"the data set is a list(.|\n)*from_arrays"):
        prepared([own])  # type: ignore[arg-type]


def test_a_path_is_never_the_name_of_a_ladder_or_a_named_set() -> None:
    with pytest.raises(DataError, match="digits does not exist"):
        prepared(Path("digits"))
    with pytest.raises(DataError, match="digits does not exist"):
        prepared("digits", data=Path("digits"))


def test_numpys_whole_numbers_and_a_single_rung_do_as_well() -> None:
    work = prepared(rungs="dense", seeds=np.int64(2), epochs=np.int32(3))

    assert work.seeds == (0, 1)
    assert [rung.name for rung in work.ladder.rungs] == ["dense"]
    assert repr(work.ladder.rungs[0].recipe.epochs) == "3"


def test_two_data_sets_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="leave digits@100 or the other data out"):
        prepared("digits@100", data="digits")


def test_a_name_of_nothing_is_told_with_the_nearest_right_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown ladder or data set 'digitz'"):
        prepared("digitz")


def test_a_climb_of_rungs_that_mirror_digits_warns_before_it_trains() -> None:
    ladder = own_ladder()
    first = replace(ladder.rungs[0], recipe=replace(ladder.rungs[0].recipe, augment=(Flip(),)))
    events: list[Any] = []

    with pytest.warns(UserWarning, match="look like other classes(.|\n)*mirrors images here: flip"):
        rungwise.climb(
            replace(ladder, rungs=(first,)), data=load("digits"), seeds=1, watch=events.append
        )

    assert any(isinstance(event, RungMeasured) for event in events)
