"""Verdicts on the rungs of a ladder, where looks decide and where they do not."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import t

from rungwise.ladder.comparison import Answers
from rungwise.ladder.result import Measured, RungResult
from rungwise.ladder.rung import Rung
from rungwise.ladder.verdict import judge, look_at
from rungwise.models import MLP
from rungwise.training.recipe import Recipe

RECIPE = Recipe(model=MLP())


def result_of(
    name: str, base: str | None, rights: list[int], *, first: int = 0, left_out: bool = False
) -> RungResult:
    """Return a result with so many of 100 answers right with each seed, on images of its own."""
    seeds = range(first, first + len(rights))
    measured = tuple(
        Measured(
            cast(Any, SimpleNamespace(accuracy=right / 100)),
            Answers(np.arange(100) + 100 * seed, np.arange(100) < right),
            Path(),
            "",
        )
        for seed, right in zip(seeds, rights, strict=True)
    )
    rung = Rung(recipe=replace(RECIPE, name=name), change="", base=base, left_out=left_out)
    return RungResult(rung, tuple(seeds), measured, (), ((),) * len(rights))


def half_width(result: RungResult) -> float:
    assert result.gain is not None
    assert result.gain.interval is not None
    return (result.gain.interval[1] - result.gain.interval[0]) / 2


def test_the_looks_are_at_3_6_12_and_24_seeds() -> None:
    looks = [look_at(seeds) for seeds in (1, 3, 4, 6, 7, 12, 13, 24, 25)]

    assert looks == [1, 1, 2, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize(("seeds", "share"), [(3, 2), (6, 4), (12, 8), (24, 16)])
def test_each_look_has_half_of_the_error_of_the_one_before(seeds: int, share: int) -> None:
    rng = np.random.default_rng(seeds)
    gains = rng.integers(-5, 8, seeds)
    base = result_of("plain", None, [50] * seeds)
    rung = result_of("shifted", "plain", [50 + int(gain) for gain in gains])

    fixed = judge([base, rung], adaptive=False)[1]
    looked_at = judge([base, rung], adaptive=True)[1]

    error = gains.std(ddof=1) / 100 / np.sqrt(seeds)
    assert half_width(fixed) == pytest.approx(t.isf(0.05 / 2, seeds - 1) * error)
    assert half_width(looked_at) == pytest.approx(t.isf(0.05 / share / 2, seeds - 1) * error)
    assert fixed.gain is not None
    assert looked_at.gain is not None
    by_hand = share * fixed.gain.p_value
    assert looked_at.gain.p_value == pytest.approx(min(1.0, by_hand), rel=1e-6)


def test_a_gain_that_would_do_without_looks_is_unclear_with_them() -> None:
    # Mean 0.03, standard error 0.01 / sqrt 3: t is 5.2 with 2 degrees of freedom, p is 0.035.
    base, rung = result_of("plain", None, [50] * 3), result_of("shifted", "plain", [52, 53, 54])

    assert judge([base, rung], adaptive=False)[1].verdict == "keep"
    assert judge([base, rung], adaptive=True)[1].verdict == "unclear"


def test_a_gain_is_paired_over_the_seeds_that_rung_and_base_have_in_common() -> None:
    base = result_of("plain", None, [50, 60, 40, 55], first=0)
    rung = result_of("shifted", "plain", [62, 44], first=1)

    gain = judge([base, rung], adaptive=True)[1].gain

    assert gain is not None
    assert gain.values == pytest.approx((0.02, 0.04))


def test_the_look_is_that_of_the_common_seeds() -> None:
    base, rung = result_of("plain", None, [50] * 3), result_of("shifted", "plain", [52, 53, 54, 90])

    short = judge([base, result_of("shifted", "plain", [52, 53, 54])], adaptive=True)[1]

    assert judge([base, rung], adaptive=True)[1].gain == short.gain


def test_a_rung_that_lacks_a_technique_tells_what_the_others_have_over_it() -> None:
    top = result_of("top", None, [80, 81, 82])
    without = result_of("without", "top", [70, 71, 72], left_out=True)

    judged = judge([top, without], adaptive=False)[1]

    assert judged.gain is not None
    assert judged.gain.values == pytest.approx((0.1, 0.1, 0.1))
    assert judged.verdict == "keep"


def test_verdicts_are_corrected_for_the_number_of_gains() -> None:
    base = result_of("plain", None, [50] * 3)
    close = result_of("close", "plain", [52, 53, 54])
    others = [result_of(f"other-{n}", "plain", [45, 50, 56]) for n in range(2)]

    alone = judge([base, close], adaptive=False)
    among = judge([base, close, *others], adaptive=False)

    assert (alone[1].verdict, among[1].verdict) == ("keep", "unclear")
    assert (alone[0].gain, alone[0].verdict) == (None, None)


def test_what_was_not_measured_on_any_images_has_no_verdict() -> None:
    base = result_of("plain", None, [50] * 3)
    blind = replace(result_of("blind", "plain", [50] * 3), validation=())

    judged = judge([replace(base, validation=()), blind], adaptive=True)

    assert [(one.gain, one.verdict) for one in judged] == [(None, None)] * 2
