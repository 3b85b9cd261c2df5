"""Paired gains, their intervals and verdicts."""

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from rungwise.ladder.comparison import Answers, Gain, compare, holm, shared_covariance, verdicts


def answers(images: range | np.ndarray, right: list[int] | np.ndarray) -> Answers:
    return Answers(np.asarray(images, dtype=np.int64), np.asarray(right, dtype=bool))


def gain_of(mean: float, p_value: float) -> Gain:
    return Gain(mean, (mean,), None, None, 0.0, p_value, None)


def test_gain_is_the_mean_of_the_seeds_differences_in_accuracy() -> None:
    rung = [answers(range(4), [1, 1, 1, 0]), answers(range(4, 8), [1, 1, 1, 1])]
    base = [answers(range(4), [1, 0, 0, 0]), answers(range(4, 8), [1, 1, 1, 0])]

    gain = compare(rung, base)

    assert gain.values == (0.5, 0.25)
    assert gain.mean == 0.375


def test_with_images_of_its_own_for_each_seed_the_interval_is_students() -> None:
    rng = np.random.default_rng(0)
    rung = [answers(np.arange(50) + 50 * seed, rng.random(50) < 0.8) for seed in range(4)]
    base = [answers(np.arange(50) + 50 * seed, rng.random(50) < 0.7) for seed in range(4)]

    gain = compare(rung, base)

    expected = ttest_1samp(gain.values, 0)
    low, high = expected.confidence_interval(0.95)
    assert gain.interval == pytest.approx((low, high))
    assert gain.p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_shared_covariance_equals_the_slow_mean_over_pairs() -> None:
    rng = np.random.default_rng(1)
    images = [rng.choice(30, 20, replace=False) for _ in range(3)]
    differences = [rng.integers(-1, 2, 20).astype(float) for _ in range(3)]
    same, other = [], []
    for s in range(3):
        for u in range(3):
            for i in range(20):
                for j in range(20):
                    if s != u:
                        product = differences[s][i] * differences[u][j]
                        (same if images[s][i] == images[u][j] else other).append(product)

    found = shared_covariance(images, differences)

    slow = (np.mean(same) - np.mean(other)) * len(same) / (len(same) + len(other))
    assert found == pytest.approx(max(0.0, slow))


def test_seeds_that_agree_on_shared_images_leave_the_images_noise() -> None:
    rng = np.random.default_rng(2)
    right, base_right = rng.random(400) < 0.9, rng.random(400) < 0.85
    rung = [answers(range(400), right)] * 5
    base = [answers(range(400), base_right)] * 5

    gain = compare(rung, base)

    difference = right.astype(float) - base_right
    assert gain.seed_deviation == pytest.approx(0, abs=0.001)
    assert gain.image_deviation == pytest.approx(difference.std() / 20, rel=0.01)
    assert gain.interval is not None
    assert gain.interval[1] - gain.mean == pytest.approx(1.96 * difference.std() / 20, rel=0.01)


def test_one_seed_has_no_interval_and_no_verdict() -> None:
    gain = compare([answers(range(3), [1, 1, 1])], [answers(range(3), [0, 0, 0])])

    assert (gain.interval, gain.seed_deviation, gain.p_value) == (None, None, 1.0)
    assert verdicts([gain]) == ["unclear"]


def test_further_seeds_are_the_fewest_that_would_tell() -> None:
    rung = [answers(np.arange(10) + 10 * s, [1] * 8 + [0] * 2) for s in range(3)]
    base = [answers(np.arange(10) + 10 * s, [1] * right + [0] * (10 - right)) for s, right in
            enumerate([8, 6, 7])]  # fmt: skip

    gain = compare(rung, base)

    assert gain.values == pytest.approx((0.0, 0.2, 0.1))
    deviation = 0.1
    needed = next(n for n in range(2, 99) if t.isf(0.025, n - 1) * deviation / math.sqrt(n) < 0.1)
    assert gain.further_seeds == needed - 3 > 0


def test_more_comparisons_need_more_seeds() -> None:
    rng = np.random.default_rng(3)
    rung = [answers(np.arange(100) + 100 * s, rng.random(100) < 0.8) for s in range(3)]
    base = [answers(np.arange(100) + 100 * s, rng.random(100) < 0.75) for s in range(3)]

    alone, among_six = compare(rung, base), compare(rung, base, comparisons=6)

    assert alone.further_seeds is not None
    assert among_six.further_seeds is not None
    assert among_six.further_seeds > alone.further_seeds
    assert among_six.interval == alone.interval


def test_no_difference_at_all_is_unclear_for_ever() -> None:
    same = [answers(range(5), [1, 0, 1, 0, 1])] * 3

    gain = compare(same, same)

    assert gain.interval is not None
    assert -gain.interval[0] == gain.interval[1] > 0
    assert (gain.p_value, gain.further_seeds) == (1.0, None)
    assert verdicts([gain]) == ["unclear"]


def test_holm_multiplies_the_smallest_by_the_number_of_comparisons() -> None:
    assert holm([0.01, 0.02, 0.5]) == pytest.approx([0.03, 0.04, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_verdicts_follow_the_sign_once_the_corrected_p_value_is_small() -> None:
    assert verdicts([gain_of(0.1, 0.001), gain_of(-0.1, 0.002), gain_of(0.1, 0.04)]) == [
        "keep",
        "drop",
        "keep",
    ]
    assert verdicts([gain_of(0.1, 0.03), gain_of(0.1, 0.04)]) == ["unclear", "unclear"]


def test_gains_that_are_equal_by_luck_are_not_certain() -> None:
    # Two seeds, each with 100 images of its own: 3 more are right with both.
    base = np.arange(100) < 90
    better = np.arange(100) < 93
    seeds = [np.arange(100), np.arange(100, 200)]

    gain = compare([Answers(s, better) for s in seeds], [Answers(s, base) for s in seeds])

    assert gain.values == pytest.approx((0.03, 0.03))
    assert gain.interval is not None
    # A step is 0.01: t(0.975, 1) = 12.706 times sqrt(0.01² / 12 / 2).
    assert gain.interval[1] - 0.03 == pytest.approx(12.706 * 0.01 / 24**0.5, rel=1e-3)
    assert gain.p_value > 0.01


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_each_look_halves_the_error_that_its_interval_may_spend(looks: int) -> None:
    # Gains of 0.0, 0.2 and 0.1: mean 0.1, deviation 0.1.
    rung = [answers(np.arange(10) + 10 * s, [1] * 8 + [0] * 2) for s in range(3)]
    base = [answers(np.arange(10) + 10 * s, [1] * right + [0] * (10 - right)) for s, right in
            enumerate([8, 6, 7])]  # fmt: skip

    gain = compare(rung, base, looks=looks)

    half = t.isf(0.05 / 2**looks / 2, 2) * 0.1 / math.sqrt(3)
    assert gain.interval == pytest.approx((0.1 - half, 0.1 + half))
    by_hand = 2**looks * 2 * t.sf(0.1 / (0.1 / math.sqrt(3)), 2)
    assert gain.p_value == pytest.approx(min(1.0, by_hand))
    # What is measured further is judged at the next look, which has half of the share.
    error = 0.05 / 2 ** (looks + 1)
    needed = next(n for n in range(4, 99) if t.isf(error / 2, n - 1) * 0.1 / math.sqrt(n) < 0.1)
    assert gain.further_seeds == needed - 3
