"""How long work takes, from what was seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rungwise.augment import Flip
from rungwise.augment.views import Mirror
from rungwise.ladder import pace as module
from rungwise.ladder.job import Job
from rungwise.ladder.pace import Pace, Stopwatch
from rungwise.models import MLP
from rungwise.techniques import Snapshots
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import CyclicCosine

PLAIN = Recipe(model=MLP())
MIRRORED = Recipe(model=MLP(), augment=(Flip(),), views=Mirror())
SNAPSHOTS = Recipe(model=MLP(), techniques=(Snapshots(count=3),), schedule=CyclicCosine())


@dataclass
class FakeJob:
    key: str
    flops: float
    images_seen: int = 1000


def jobs(*fakes: FakeJob) -> Sequence[Job]:
    return cast(Any, fakes)


SMALL, BIG, UNSEEN = jobs(FakeJob("small", 10.0), FakeJob("big", 60.0), FakeJob("unseen", 35.0))


def pace_of(**seconds: float) -> Pace:
    pace = Pace()
    for job in (SMALL, BIG, UNSEEN):
        if job.key in seconds:
            pace.learn(job, seconds[job.key])
    return pace


def test_nothing_is_known_before_anything_was_seen() -> None:
    pace = Pace()

    assert pace.training(SMALL) is None
    assert not pace.knows(SMALL)
    assert pace.predicting(PLAIN, [SMALL], 100) == 0


def test_a_training_that_was_seen_takes_as_long_again() -> None:
    pace = pace_of(small=2.0, big=5.0)
    pace.learn(SMALL, 3.0)

    assert pace.knows(SMALL)
    assert pace.training(SMALL) == 3.0


def test_another_training_takes_its_operations_at_the_speed_of_those_seen() -> None:
    pace = pace_of(small=2.0, big=5.0)

    # 70 operations took 7 s.
    assert pace.training(UNSEEN) == pytest.approx(3.5)
    assert not pace.knows(UNSEEN)


def test_predicting_takes_a_third_of_a_step_for_each_image_view_and_net() -> None:
    pace = pace_of(small=3.0, big=6.0)

    # 3 ms and 6 ms for each image of a step.
    assert pace.predicting(PLAIN, [SMALL], 100) == pytest.approx(0.1)
    assert pace.predicting(PLAIN, [SMALL, BIG], 100) == pytest.approx(0.3)
    assert pace.predicting(MIRRORED, [SMALL, BIG], 100) == pytest.approx(0.6)
    assert pace.predicting(SNAPSHOTS, [SMALL, BIG], 100) == pytest.approx(0.9)


def test_a_busy_moment_does_not_stay_in_the_estimates() -> None:
    pace = Pace()
    pace.learn(SMALL, 6.0, slowness=3.0)
    pace.learn(BIG, 15.0, slowness=3.0)
    assert (pace.training(SMALL), pace.training(BIG)) == (6.0, 15.0)
    assert pace.at_rest().training(BIG) == 5.0

    pace.learn(SMALL, 2.0, slowness=1.0)  # The other programs have ended.

    assert (pace.training(SMALL), pace.training(BIG)) == (2.0, 5.0)
    assert pace.training(UNSEEN) == pytest.approx(3.5)


def test_what_a_run_on_file_took_says_nothing_of_the_present_moment() -> None:
    pace = Pace()
    pace.learn(SMALL, 6.0, slowness=3.0)
    pace.learn(BIG, 5.0)

    assert (pace.training(SMALL), pace.training(BIG)) == (6.0, 15.0)


def test_a_stopwatch_tells_working_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: 10.0, thread_time=lambda: 5.0)
    monkeypatch.setattr(module, "time", clock)
    watch, elsewhere = Stopwatch(on_processor=True), Stopwatch(on_processor=False)
    assert watch.slowness is None

    clock.monotonic, clock.thread_time = (lambda: 22.0), (lambda: 9.0)

    assert watch.slowness == 3.0
    assert elsewhere.slowness is None
