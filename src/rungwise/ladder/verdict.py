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
        results: The ladder's rungs in order; gains are counted over the seeds that a rung has in
            common with its base.
        adaptive: Whether looks at the verdicts decided with how many seeds a rung was measured.
    """
    by_name = {result.rung.name: result for result in results}
    comparisons = sum(bool(result.rung.base and result.chosen_on) for result in results)
    compared = []
    for result in results:
        if result.rung.base and result.chosen_on:
            base = by_name[result.rung.base]
            paired = tuple(seed for seed in result.seeds if seed in base.seeds)
            gain = _gain(result, base, paired, comparisons, adaptive=adaptive)
            result = replace(result, gain=gain, paired=paired)
        compared.append(result)
    names = [result.rung.name for result in compared if result.gain]
    given = dict(zip(names, verdicts([r.gain for r in compared if r.gain]), strict=True))
    return tuple(replace(result, verdict=given.get(result.rung.name)) for result in compared)


def _gain(
    result: RungResult,
    base: RungResult,
    paired: Sequence[int],
    comparisons: int,
    *,
    adaptive: bool,
) -> Gain:
    own = [result.answers[result.seeds.index(seed)] for seed in paired]
    other = [base.answers[base.seeds.index(seed)] for seed in paired]
    looks = look_at(len(paired)) if adaptive else 0
    if result.rung.left_out:
        return compare(other, own, comparisons, looks)
    return compare(own, other, comparisons, looks)
