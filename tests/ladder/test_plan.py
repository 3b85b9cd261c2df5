"""What a climb would do, told without doing it."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rungwise.augment import Shift
from rungwise.augment.views import RandomCopies
from rungwise.data import Dataset
from rungwise.errors import UsageError
from rungwise.ladder import climb as climb_module
from rungwise.ladder.budget import Budget
from rungwise.ladder.climb import Climb
from rungwise.ladder.job import Job
from rungwise.ladder.plan import plan_of
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.models.summary import summarize
from rungwise.training.recipe import Members, Recipe

PLAIN = Recipe(
    name="plain",
    model=MLP(hidden_widths=(16,)),
    validation=0.2,
    epochs=1,
    batch_size=40,
    precision="float32",
)
SHIFTED = replace(PLAIN, name="shifted", augment=(Shift(pixels=1),))
VIEWS = replace(SHIFTED, name="views", views=RandomCopies(copies=2))
ENSEMBLE = replace(SHIFTED, name="ensemble", ensemble=(Members(count=3),))
LADDER = Ladder(
    name="small",
    data="digits",
    title="Four rungs",
    rungs=(
        Rung(recipe=PLAIN, change="nothing yet"),
        Rung(recipe=SHIFTED, change="+ shift", base="plain"),
        Rung(recipe=VIEWS, change="+ two copies", base="shifted"),
        Rung(recipe=ENSEMBLE, change="three nets", base="shifted"),
    ),
)
WEEK = 7 * 24 * 3600.0


@pytest.fixture
def work(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Climb:
    """Return a climb of two seeds that takes every training for one of four seconds."""
    monkeypatch.setattr(Job, "probe", lambda job, seconds: 4.0)
    at_rest = SimpleNamespace(slowness=1.0)
    monkeypatch.setattr(climb_module, "Stopwatch", lambda on_processor: at_rest)
    return Climb(LADDER, digits, (0, 1), tmp_path / "runs", torch.device("cpu"))


@pytest.fixture
def within(work: Climb) -> Callable[[float], Climb]:
    """Return a function that gives the climb, with five seeds, a budget that begins now."""

    def within(seconds: float) -> Climb:
        return replace(
            work, budget=Budget(seconds, time.monotonic()), seeds=tuple(range(5)), fits=1
        )

    return within


def test_nets_that_rungs_share_are_counted_where_they_are_trained(work: Climb) -> None:
    plan = plan_of(work)

    assert [(rung.name, rung.trainings, rung.found) for rung in plan.rungs] == [
        ("plain", 2, 0),
        ("shifted", 2, 0),
        ("views", 0, 0),
        ("ensemble", 4, 0),
    ]
    assert [rung.seconds for rung in plan.rungs] == [8, 8, 0, 16]
    assert [rung.seconds_each for rung in plan.rungs] == [4, 4, 0, 4]
    assert (plan.trainings, plan.seconds) == (8, 32)


def test_disk_holds_weights_and_the_probabilities_of_all_images(work: Climb) -> None:
    plan = plan_of(work)

    weights = summarize(PLAIN.model, (1, 8, 8), 10).parameters
    predictions = 2 * (40 + 60) * 10  # two seeds, validation and test images, classes
    assert plan.rungs[0].disk == 4 * (2 * weights + predictions)
    assert plan.rungs[2].disk == 4 * predictions
    assert plan.disk == 4 * (8 * weights + 4 * predictions)
    assert plan.memory > 0


def test_planning_leaves_nothing_behind(work: Climb) -> None:
    plan_of(work)

    assert not work.root.exists()


def test_what_is_on_file_is_found_and_takes_no_time(work: Climb) -> None:
    replace(work, ladder=LADDER.only(["plain"]), seeds=(0,)).run()

    plain = plan_of(work).rungs[0]

    assert (plain.trainings, plain.found) == (1, 1)
    assert (
        plain.seconds == plain.seconds_each == work.pace.training(work.jobs(LADDER.rungs[0], 1)[0])
    )
    assert plain.seconds != 4  # but as long as the training on file took


def test_a_budget_is_planned_with_the_seeds_of_the_first_look_and_a_forecast(
    within: Callable[[float], Climb],
) -> None:
    plan = plan_of(within(WEEK))

    assert [rung.trainings for rung in plan.rungs] == [3, 3, 0, 6]
    forecast, fit = plan.notes
    assert "plain 3, shifted 3, views 3, ensemble 3" in forecast
    assert "the best rung's net is fitted once more" in fit


def test_a_budget_that_is_too_small_is_refused(within: Callable[[float], Climb]) -> None:
    with pytest.raises(UsageError, match="too small"):
        plan_of(within(15))


def test_what_a_reading_cannot_show_is_noted(work: Climb) -> None:
    assert plan_of(replace(work, unread=("shifted: it changes nothing",))).notes == (
        "shifted: it changes nothing",
    )


def test_plain_values_hold_the_rungs_and_the_sums(work: Climb) -> None:
    plan = plan_of(work)

    plain = json.loads(json.dumps(plan.to_dict()))

    assert plain.keys() == {"rungs", "trainings", "seconds", "memory", "disk", "notes"}
    assert plain["rungs"][3]["trainings"] == 4
    assert (plain["seconds"], plain["disk"]) == (plan.seconds, plan.disk)
