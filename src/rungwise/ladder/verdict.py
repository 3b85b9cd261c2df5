"""Verdicts on the rungs of one ladder, corrected for their number and for repeated looks."""

from collections.abc import Sequence
from dataclasses import replace

from rungwise.ladder.comparison import Gain, compare, verdicts
from rungwise.ladder.result import RungResult

SEEDS_AT_LOOKS = (3, 6, 12, 24)
"""Where looks decide about further seeds, the verdicts are looked at with so many."""


def look_at(seeds: int) -> int:
    """Return which look, from 1, a verdict from so many seeds is.

    >>> [look_at(seeds) for seeds in (2, 3, 4, 24, 100)]
    [1, 1, 2, 4, 5]
    """
    return 1 + sum(seeds > count for count in SEEDS_AT_LOOKS)


def judge(results: Sequence[RungResult], *, adaptive: bool) -> tuple[RungResult, ...]:
    """Return the results with their gains and verdicts.

    Args:
        results: The ladder's rungs in order; a base was measured with all seeds of its rungs.
        adaptive: Whether looks at the verdicts decided with how many seeds a rung was measured.
    """
    by_name = {result.rung.name: result for result in results}
    measured = [result for result in results if result.rung.base and result.chosen_on]
    gains = {
        result.rung.name: _gain(
            result, by_name[str(result.rung.base)], comparisons=len(measured), adaptive=adaptive
        )
        for result in measured
    }
    given = dict(zip(gains, verdicts(list(gains.values())), strict=True))
    return tuple(
        replace(result, gain=gains.get(result.rung.name), verdict=given.get(result.rung.name))
        for result in results
    )


def _gain(result: RungResult, base: RungResult, *, comparisons: int, adaptive: bool) -> Gain:
    common = [seed for seed in result.seeds if seed in base.seeds]
    own = [result.answers[result.seeds.index(seed)] for seed in common]
    other = [base.answers[base.seeds.index(seed)] for seed in common]
    looks = look_at(len(common)) if adaptive else 0
    if result.rung.left_out:
        return compare(other, own, comparisons, looks)
    return compare(own, other, comparisons, looks)
