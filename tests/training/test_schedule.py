import math
from typing import Any

import pytest

from rungwise.errors import ConfigError
from rungwise.training.schedule import (
    SCHEDULES,
    Constant,
    Cosine,
    CyclicCosine,
    Linear,
    OneCycle,
    Schedule,
    StepDecay,
)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_stay_between_0_and_1(name: str) -> None:
    schedule = SCHEDULES[name](warmup_share=0.3)

    assert all(0 <= schedule.factor(step / 1000) <= 1 for step in range(1000))


@pytest.mark.parametrize("schedule", [Constant(warmup_share=0.2), Cosine(warmup_share=0.2)])
def test_warm_up_rises_in_a_straight_line_from_0(schedule: Schedule) -> None:
    factors = [schedule.factor(progress) for progress in (0, 0.05, 0.1, 0.2)]

    assert factors == pytest.approx([0, 0.25, 0.5, 1])


def test_constant_is_1_from_start_to_end() -> None:
    assert [Constant().factor(progress) for progress in (0, 0.5, 0.999)] == [1, 1, 1]


def test_cosine_falls_along_half_a_wave() -> None:
    falling = [Cosine().factor(progress) for progress in (0, 1 / 3, 0.5, 2 / 3, 1)]

    assert falling == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_linear_falls_in_a_straight_line_after_the_warm_up() -> None:
    schedule = Linear(end_factor=0.2, warmup_share=0.5)

    factors = [schedule.factor(progress) for progress in (0.25, 0.5, 0.75, 1)]
    assert factors == pytest.approx([0.5, 1, 0.6, 0.2])


def test_cosine_ends_at_its_end_factor_and_starts_after_the_warm_up() -> None:
    schedule = Cosine(end_factor=0.2, warmup_share=0.5)

    # the middle of the fall is at 0.75
    assert schedule.factor(0.75) == pytest.approx(0.6)
    assert schedule.factor(1) == pytest.approx(0.2)


def test_cyclic_cosine_falls_anew_in_each_cycle_after_the_warm_up() -> None:
    schedule = CyclicCosine(cycles=2, end_factor=0.2, warmup_share=0.2)

    # cycles from 0.2 to 0.6 and from 0.6 to 1
    factors = [schedule.factor(progress) for progress in (0.1, 0.2, 0.4, 0.6, 0.8, 1)]

    assert factors == pytest.approx([0.5, 1, 0.6, 1, 0.6, 0.2])
    assert [schedule.cycle(progress) for progress in (0, 0.1, 0.4, 0.6, 0.8, 1)] == [
        *(0, 0, 0, 1, 1, 1),
    ]
    assert Cosine().cycle(1) == 0


@pytest.mark.parametrize("cycles", [2, 3, 5, 7])
@pytest.mark.parametrize("steps", [1, 7, 100, 391])
def test_cycles_begin_at_an_epochs_start_whatever_the_number_of_steps(
    cycles: int, steps: int
) -> None:
    schedule, epochs = CyclicCosine(cycles=cycles), 3 * cycles
    shares = [step / (epochs * steps) for step in range(epochs * steps)]

    at_full = [step for step, share in enumerate(shares) if schedule.factor(share) > 1 - 1e-12]

    assert at_full == [number * 3 * steps for number in range(cycles)]
    assert [schedule.cycle(shares[step]) for step in at_full] == list(range(cycles))


def test_one_cycle_is_a_triangle() -> None:
    schedule = OneCycle(warmup_share=0.25, start_factor=0.2, end_factor=0.1)

    factors = [schedule.factor(progress) for progress in (0, 0.125, 0.25, 0.625, 1)]

    assert factors == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1])


def test_one_cycle_without_a_rise_starts_at_its_peak() -> None:
    schedule = OneCycle(warmup_share=0)

    assert [schedule.factor(progress) for progress in (0, 0.5)] == [1, 0.5]


def test_rate_of_article_b_drops_with_the_first_step_of_epochs_101_and_141() -> None:
    schedule = StepDecay(at=(100 / 150, 140 / 150), divide_by=(5, 2))
    steps = 150 * 100

    factors = [schedule.factor(step / steps) for step in range(steps)]

    drops = [step for step in range(1, steps) if factors[step] != factors[step - 1]]
    assert drops == [10_000, 14_000]
    assert [factors[0], factors[10_000], factors[14_000]] == pytest.approx([1, 0.2, 0.1])


@pytest.mark.parametrize("epochs", [3, 15, 30, 75, 150, 300])
@pytest.mark.parametrize("steps", [1, 7, 100, 391, 1563])
def test_drops_stand_at_an_epochs_start_whatever_the_number_of_steps(
    epochs: int, steps: int
) -> None:
    schedule = StepDecay(at=(2 / 3,), divide_by=(10,))
    drop = epochs * 2 // 3 * steps

    assert schedule.factor(drop / (epochs * steps)) == pytest.approx(0.1)
    assert schedule.factor((drop - 1) / (epochs * steps)) == 1


def test_moments_of_step_decay_count_from_the_end_of_the_warm_up() -> None:
    schedule = StepDecay(at=(0.5,), divide_by=(4,), warmup_share=0.2)

    assert schedule.factor(0.1) == pytest.approx(0.5)
    assert schedule.factor(0.59) == 1
    assert schedule.factor(0.6) == 0.25


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Constant, {"warmup_share": 1}),
        (Constant, {"warmup_share": -0.1}),
        (Constant, {"warmup_share": math.nan}),
        (Cosine, {"end_factor": 1.5}),
        (CyclicCosine, {"cycles": 1}),
        (CyclicCosine, {"end_factor": -0.1}),
        (OneCycle, {"start_factor": -1}),
        (OneCycle, {"end_factor": 2}),
        (StepDecay, {"at": (), "divide_by": ()}),
        (StepDecay, {"at": (0.5,), "divide_by": (5, 2)}),
        (StepDecay, {"at": (0.9, 0.5), "divide_by": (5, 2)}),
        (StepDecay, {"at": (0.5, 0.5), "divide_by": (5, 2)}),
        (StepDecay, {"at": (100,), "divide_by": (5,)}),
        (StepDecay, {"at": (0.5,), "divide_by": (0,)}),
    ],
    ids=str,
)
def test_impossible_settings_are_refused_in_three_parts(
    kind: type[Schedule], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**settings)

    assert caught.value.expected
    assert caught.value.fix
