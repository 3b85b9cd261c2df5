"""Which rungs are measured with which seeds in a given time, on a clock that the tests move."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rungwise.data import Dataset
from rungwise.errors import UsageError
from rungwise.ladder import budget as module
from rungwise.ladder.budget import REPORT_SECONDS, Allotment, Budget, seconds_of
from rungwise.ladder.comparison import Answers
from rungwise.ladder.pace import Pace
from rungwise.ladder.result import Measured, RungResult
from rungwise.ladder.run import Run
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.techniques import EarlyStopping
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

RECIPE = Recipe(model=MLP(), validation=0.2)
CLEAR, OPEN = (0, 1, 2), (9, -8, 1)
"""What is added to the right answers of seeds 0, 1, 2 and again: it blurs a gain, or hardly."""


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        *((45, 45), (np.int64(45), 45), (np.float32(0.5), 0.5)),
        *(("45", 45), ("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h0m5s", 3605)),
        *((" 2H ", 7200), ("1.5m", 90), ("0.5", 0.5)),
    ],
)
def test_durations_are_read_as_people_write_them(budget: Any, seconds: float) -> None:
    assert seconds_of(budget) == seconds


@pytest.mark.parametrize(
    "budget",
    [
        math.nan,
        math.inf,
        -5.0,
        0,
        [1],
        "",
        "abc",
        "0",
        "0h0m",
        "-5m",
        "5x",
        "m",
        "1m1h",
        "1e3",
        "nan",
        "inf",
        "1 h",
        "1:30",
    ],
)
def test_what_is_no_duration_is_refused(budget: Any) -> None:
    with pytest.raises(UsageError, match="such as 90s, 20m or 1h30m"):
        seconds_of(budget)


@dataclass
class FakeJob:
    """A training that takes no time to know."""

    key: str
    seed: Seed
    trained: set[tuple[str, Seed]]
    images_seen: int = 1
    validation_images: int = 40

    def is_finished(self) -> bool:
        return (self.key, self.seed) in self.trained


@dataclass
class FakePace:
    """Knows the seconds of each training, and of predicting an image with any rung."""

    seconds: dict[str, float]
    each_image: float = 0.0

    slowness: float = 1.0

    def at_rest(self) -> "FakePace":
        return replace(self, slowness=1.0)

    def training(self, job: FakeJob) -> float:
        return self.slowness * self.seconds[job.key]

    def predicting(self, recipe: Recipe, jobs: Sequence[FakeJob], images: int) -> float:
        return self.each_image * images


@dataclass
class World:
    """A climb that only counts: measuring moves the clock as far as the estimate says."""

    ladder: Ladder
    dataset: Dataset
    seconds: dict[str, float]
    rights: dict[str, tuple[int, tuple[int, int, int]]]
    budget: float
    seeds: tuple[int, ...] = tuple(range(24))
    each_image: float = 0.0
    now: float = 100.0
    nets: dict[str, str] = field(default_factory=dict)
    stops: set[tuple[str, int]] = field(default_factory=set)
    trained: set[tuple[str, Seed]] = field(default_factory=set)
    seen: dict[str, list[int]] = field(default_factory=dict)
    done: list[tuple[str, int]] = field(default_factory=list)

    def allotment(self) -> Allotment:
        return Allotment(
            Budget(self.budget, started=100.0),
            self.ladder,
            self.dataset,
            self.seeds,
            cast(Any, self.jobs),
            cast(Pace, FakePace(self.seconds, self.each_image)),
            self.measured,
        )

    def jobs(self, rung: Rung, seed: int) -> list[FakeJob]:
        net = self.nets.get(rung.name, rung.name)
        final = rung.recipe.validation == 0
        return [FakeJob(f"final {net}" if final else net, Seed(seed), self.trained)]

    def measured(self) -> list[RungResult]:
        rungs = self.ladder.only(list(self.seen)).rungs
        return [result_of(rung, self.seen[rung.name], *self.rights[rung.name]) for rung in rungs]

    def climb(self, allotment: Allotment | None = None) -> Allotment:
        """Measure what the allotment says."""
        allotment = allotment or self.allotment()
        for rung, seed in allotment.pairs():
            self.done.append((rung.name, seed))
            self.now += allotment.cost([(rung, seed)])
            if (rung.name, seed) in self.stops:
                allotment.unfinished(rung, seed)
                continue
            self.trained.update((job.key, job.seed) for job in self.jobs(rung, seed))
            self.seen.setdefault(rung.name, []).append(seed)
        return allotment

    def counts(self) -> dict[str, int]:
        return {name: len(seeds) for name, seeds in self.seen.items()}


def result_of(rung: Rung, seeds: list[int], right: int, noise: tuple[int, int, int]) -> RungResult:
    """Return a result with so many of 200 answers right; each seed has images of its own."""
    measured = []
    for seed in seeds:
        rights = right + noise[seed % 3]
        answers = Answers(np.arange(200) + 200 * seed, np.arange(200) < rights)
        evaluation = cast(Any, SimpleNamespace(accuracy=rights / 200))
        measured.append(Measured(evaluation, answers, Path(), ""))
    run = Run(Path(), {"seconds": 1.0, "flops": 1.0})
    return RungResult(rung, tuple(seeds), tuple(measured), (), ((run,),) * len(seeds))


def ladder_of(*rungs: tuple[str, str | None]) -> Ladder:
    made = tuple(Rung(recipe=replace(RECIPE, name=n), change="", base=b) for n, b in rungs)
    return Ladder(name="some", data="digits", title="", rungs=made)


def world_of(
    monkeypatch: pytest.MonkeyPatch, ladder: Ladder, dataset: Dataset, **settings: Any
) -> World:
    """Return a world where all rungs take 10 s and are a little, but clearly, better than before.

    A net is fitted to all images in no time, unless `seconds` say otherwise.
    """
    names = [rung.name for rung in ladder.rungs]
    standard = {
        "seconds": dict.fromkeys(names, 10.0),
        "rights": {name: (100 + 20 * place, CLEAR[:1] * 3) for place, name in enumerate(names)},
    }
    world = World(ladder, dataset, **{**standard, **settings})
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: world.now))
    return world


@pytest.fixture
def star() -> Ladder:
    return ladder_of(("plain", None), ("better", "plain"), ("worse", "plain"), ("open", "plain"))


STAR = {
    "plain": (100, (0, 0, 0)),
    "better": (120, CLEAR),
    "worse": (80, CLEAR),
    "open": (101, OPEN),
}


# --- what is measured, in which order


def test_every_rung_gets_its_first_three_seeds_one_seed_after_the_other(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=1e6)

    world.climb()

    names = ["plain", "better", "worse", "open"]
    assert world.done[:12] == [(name, seed) for seed in range(3) for name in names]


def test_further_seeds_go_to_open_rungs_and_their_bases_alone(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=1e6)

    allotment = world.climb()

    assert world.counts() == {"plain": 24, "better": 3, "worse": 3, "open": 24}
    assert world.done[12:14] == [("plain", 3), ("open", 3)]
    assert allotment.left_out() == ()


def test_an_open_rung_gets_seeds_though_the_rungs_below_its_base_are_decided(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = ladder_of(("plain", None), ("better", "plain"), ("open", "better"))
    rights = {"plain": (100, (0, 0, 0)), "better": (120, CLEAR), "open": (123, OPEN)}
    world = world_of(monkeypatch, chain, digits, rights=rights, budget=1e6, seeds=range(6))

    world.climb()

    assert world.counts() == {"plain": 3, "better": 6, "open": 6}


def test_the_cheaper_decision_comes_first(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    ladder = ladder_of(("plain", None), ("dear", "plain"), ("cheap", "plain"))
    rights = {"plain": (100, (0, 0, 0)), "dear": (101, OPEN), "cheap": (101, OPEN)}
    seconds = {"plain": 10.0, "dear": 100.0, "cheap": 10.0}
    world = world_of(
        monkeypatch, ladder, digits, rights=rights, seconds=seconds, budget=1e6, seeds=range(6)
    )

    world.climb()

    later = [name for name, _ in world.done[9:]]
    assert later == ["plain", "cheap"] * 3 + ["dear"] * 3


def test_no_rung_is_measured_with_more_seeds_than_were_asked_for(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=1e6, seeds=(0, 1))

    allotment = world.climb()

    assert world.counts() == dict.fromkeys(STAR, 2)
    assert allotment.left_out() == ()


# --- what fits


@pytest.mark.parametrize("budget", range(40, 500, 23))
@pytest.mark.parametrize("each_image", [0.0, 0.1])
def test_the_end_is_kept_free_and_every_gain_is_paired(
    star: Ladder,
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    budget: int,
    each_image: float,
) -> None:
    seconds = {"plain": 5.0, "better": 17.0, "worse": 8.0, "open": 11.0}
    world = world_of(
        monkeypatch,
        star,
        digits,
        rights=STAR,
        seconds=seconds,
        each_image=each_image,
        budget=float(budget),
    )

    world.climb()

    for name, seeds in world.seen.items():
        assert seeds == list(range(len(seeds)))
        assert set(seeds) <= set(world.seen["plain"]) or name == "plain"
    dearest = max(seconds[name] for name in world.seen)
    best = max(world.seen, key=lambda name: STAR[name][0])
    end = sum(map(len, world.seen.values())) * 60 * each_image + REPORT_SECONDS
    end += seconds[best] / 0.8 + 60 * each_image
    assert world.now + end <= 100 + budget
    assert seconds[best] <= dearest


def test_a_rung_and_its_base_fit_together_or_neither_is_measured(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = ladder_of(("plain", None), ("open", "plain"))
    rights = {"plain": (100, (0, 0, 0)), "open": (101, OPEN)}
    # Three seeds of both take 60 s; at the end 12.5 s of fitting and the report's 10 s are kept.
    just_short = 60 + 12.5 + 10 + 19
    world = world_of(monkeypatch, ladder, digits, rights=rights, budget=just_short)

    world.climb()
    assert world.counts() == {"plain": 3, "open": 3}

    world = world_of(monkeypatch, ladder, digits, rights=rights, budget=just_short + 1)
    world.climb()
    assert world.counts() == {"plain": 4, "open": 4}


def test_what_is_too_dear_is_skipped_told_and_others_are_compared_with_its_base(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = ladder_of(("plain", None), ("dear", "plain"), ("open", "dear"))
    rights = {"plain": (100, (0, 0, 0)), "dear": (100, (0, 0, 0)), "open": (101, OPEN)}
    seconds = {"plain": 1.0, "dear": 1000.0, "open": 1.0}
    world = world_of(
        monkeypatch, chain, digits, rights=rights, seconds=seconds, budget=500.0, seeds=range(12)
    )

    allotment = world.climb()

    assert world.counts() == {"plain": 12, "open": 12}
    assert allotment.left_out() == ("dear was not measured: one seed takes about 16m40s",)


def test_nets_that_rungs_share_are_paid_for_once(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = ladder_of(("plain", None), ("views", "plain"))
    world = world_of(monkeypatch, ladder, digits, nets={"views": "plain"}, budget=100.0)
    allotment = world.allotment()

    assert allotment.cost([(rung, 0) for rung in ladder.rungs]) == 10
    # 30 s for three nets, 12.5 s to fit one and 10 s for the report.
    assert "plain 3, views 3; about 48s are left" in allotment.forecast()


def test_few_seeds_are_told(star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    # 12.5 s to fit and 10 s for the report leave 60 s: four rungs with seed 0, two with seed 1.
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=82.5)

    allotment = world.climb()

    assert world.counts() == {"plain": 2, "better": 2, "worse": 1, "open": 1}
    assert allotment.left_out() == ("measured with fewer than 3 seeds: plain, better, worse, open",)


def test_what_was_stopped_is_told_and_not_tried_again(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = {**STAR, "worse": (101, OPEN)}
    world = world_of(monkeypatch, star, digits, rights=rights, budget=1e6, stops={("plain", 4)})

    allotment = world.climb()

    assert world.done.count(("plain", 4)) == 1
    assert world.counts() == {"plain": 4, "better": 3, "worse": 4, "open": 4}
    assert allotment.left_out() == (
        "plain with seed 4 was stopped in its training; a later climb goes on",
    )


def test_a_second_climb_with_the_same_budget_goes_on(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=122.5)
    world.climb()
    before = world.counts()

    world.seen, world.now = {}, 100.0
    world.climb()

    assert sum(before.values()) == 10
    assert sum(world.counts().values()) == 20
    assert world.counts() == {"plain": 7, "better": 3, "worse": 3, "open": 7}


# --- the ends, by hand


def test_a_training_has_to_stop_where_the_end_begins(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=200.0, each_image=0.1)
    world.seen = {"plain": [0, 1], "better": [0]}
    plain, better, *_ = star.rungs

    allotment = world.allotment()

    # From 100 on: 200 s less the report, 60 test images with each of three measurements and one
    # more, 40 validation images, and the best one's fitting with its test images.
    end = 300 - 10 - (3 + 1) * 6 - 4 - (10 / 0.8 + 6)
    assert allotment.training_ends(plain) == pytest.approx(end)
    assert allotment.fitting_ends(better) == pytest.approx(300 - 10 - (3 + 1) * 6)


def test_no_time_is_kept_for_a_net_that_is_fitted_already(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=200.0)
    world.trained = {("final plain", Seed(0))}

    assert world.allotment().training_ends(star.rungs[0]) == 290


def test_no_time_is_kept_to_fit_what_needs_its_validation_images(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = ladder_of(("plain", None)).changed(
        lambda recipe: replace(recipe, techniques=(EarlyStopping(),))
    )
    world = world_of(monkeypatch, ladder, digits, budget=200.0)

    assert world.allotment().training_ends(ladder.rungs[0]) == 290


def test_a_test_set_that_is_not_there_takes_no_time(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    untested = replace(digits, test=None)
    world = world_of(monkeypatch, star, untested, rights=STAR, budget=200.0, each_image=0.1)

    end = world.allotment().training_ends(star.rungs[0])

    assert end == pytest.approx(300 - 10 - 4 - 12.5)


def test_a_budget_for_less_than_one_training_is_refused_with_one_that_would_do(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One training, its fitting and the report: 10 + 12.5 + 10 s; 2 s have passed.
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=34.0, now=102.0)
    with pytest.raises(UsageError, match="budget of 34s is too small: plain") as caught:
        world.allotment().require_enough()

    assert caught.value.expected == "a budget of 35s or more, better several times as much"
    world.budget = 35.0
    world.allotment().require_enough()


def test_the_forecast_tells_what_is_measured_first(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=84.0)

    told = world.allotment().forecast()

    assert told == (
        "budget 1m24s: with so many seeds the rungs fit first: plain 2, better 2, worse 1, "
        "open 1; about 2s are left for verdicts that are open"
    )
    world.climb()
    assert world.counts() == {"plain": 2, "better": 2, "worse": 1, "open": 1}


def test_a_budget_counts_down_from_when_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 103.0))

    budget = Budget(seconds=10.0, started=100.0)

    assert (budget.ends, budget.left) == (110.0, 7.0)


def test_a_busy_moment_at_the_start_does_not_refuse_a_budget(
    star: Ladder, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(monkeypatch, star, digits, rights=STAR, budget=35.0)
    allotment = world.allotment()
    allotment._pace = cast(Any, FakePace(world.seconds, slowness=3.0))

    allotment.require_enough()  # 10 + 12.5 + 10 s at rest, thrice as long for the work now

    assert next(allotment.pairs())[0].name == "plain"
