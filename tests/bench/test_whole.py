"""Whole trainings from timed parts."""

import pytest

from rungwise.bench.ours import prepare
from rungwise.bench.whole import first_step, middles, ratios, training_seconds, whole_seconds
from rungwise.errors import UsageError


def test_places_are_the_middles_of_equal_parts() -> None:
    assert middles(4) == [0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize(
    ("share", "first"),
    [(0.0, 0), (0.25, 5), (0.49, 6), (0.5, 10), (0.999, 16)],
    ids=["start", "middle of an epoch", "end of an epoch", "next epoch", "end"],
)
def test_timed_steps_and_the_one_before_stay_within_an_epoch(share: float, first: int) -> None:
    # Two epochs of ten steps, two are timed: 6, 7 and 8 are the last three that do not end one.
    assert first_step(share, 2, 10, 20) == first


def test_more_steps_than_an_epoch_has_are_refused() -> None:
    with pytest.raises(UsageError, match="fewer than 9: an epoch has 10"):
        first_step(0.5, 9, 10, 20)


def test_the_whole_is_set_up_training_and_prediction() -> None:
    about = {"setup_seconds": 2.0, "training_images": 495_000, "predicted_images": 10_000}

    assert whole_seconds(about, 1000.0, 500.0) == 2 + 495 + 20


def test_a_ratio_above_1_says_that_ours_took_less_time() -> None:
    assert ratios([2.0, 4.0], [6.0, 4.0]) == [3.0, 1.0]


def test_steps_are_taken_at_each_place_and_end_no_epoch() -> None:
    training = prepare("A-cnn", "float32")

    assert training_seconds(training, parts=2, steps=3) > 0
    assert training.history == []
    middle = training.recipe.epochs * 3 // 4
    assert training.epoch == middle + 1
