"""How many trainings are left, and how long they take."""

from dataclasses import replace

import pytest

from rungwise.ladder.job import Job
from rungwise.ladder.outlook import Outlook
from rungwise.ladder.pace import Pace
from rungwise.models import CNN
from rungwise.training.loop import Progress
from rungwise.training.seed import Seed


@pytest.fixture
def jobs(job: Job) -> list[Job]:
    """Return the same training of three epochs with three seeds."""
    return [replace(job, seed=Seed(number)) for number in range(3)]


def test_what_a_training_has_done_already_is_not_left(jobs: list[Job]) -> None:
    outlook, pace = Outlook(), Pace()
    outlook.expect(jobs)
    pace.learn(jobs[0], 12.0)

    share = outlook.goes_on(jobs[1], Progress(2, 2, 4, None, steps_done=6, steps_in_all=12))

    assert share == 0.5  # 6 of 12 steps
    assert outlook.seconds(pace) == 12 + 6 + 12


def test_a_net_that_this_climb_trains_counts_and_one_that_is_found_does_not(
    jobs: list[Job],
) -> None:
    outlook, pace = Outlook(), Pace()
    outlook.expect(jobs)
    pace.learn(jobs[0], 12.0)

    outlook.has_trained(jobs[0])
    outlook.is_there(jobs[0])
    outlook.is_there(jobs[1])

    assert (outlook.trained, outlook.left, outlook.seconds(pace)) == (1, 1, 12.0)


def test_a_finished_run_is_not_expected(jobs: list[Job]) -> None:
    folder = jobs[0].folder
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    outlook = Outlook()

    outlook.expect(jobs)

    assert outlook.left == 2


def test_nothing_is_told_before_a_training_of_about_the_size_was_seen(jobs: list[Job]) -> None:
    small = jobs[0]
    recipe = replace(small.recipe, model=CNN(conv_widths=(32, 32), dense_widths=(64,)))
    large = replace(small, recipe=recipe)
    assert large.flops > 10 * small.flops
    outlook, pace = Outlook(), Pace()
    outlook.expect([small, large])

    assert outlook.seconds(pace) is None
    pace.learn(small, 1.0)
    assert outlook.seconds(pace) is None
    pace.learn(large, 5.0)
    assert outlook.seconds(pace) == 6.0
    assert Outlook().seconds(Pace()) == 0.0
