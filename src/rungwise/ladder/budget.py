"""A climb within a given time: what fits, what is measured next, when to stop.

first     every rung with seed 0, 1, 2, as far as time allows
then      further seeds for the rungs whose verdict is open, up to 6, 12, 24, and for their bases;
          what is clearly worse or clearly better gets no more of its own
at last   time is kept for fitting the net to use, opening the test set and the report
"""

import copy
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rungwise.data import Dataset
from rungwise.errors import UsageError
from rungwise.ladder.final import best_of, on_all_images
from rungwise.ladder.job import Job
from rungwise.ladder.numbers import duration
from rungwise.ladder.pace import Pace
from rungwise.ladder.result import RungResult
from rungwise.ladder.rung import Ladder, Rung
from rungwise.ladder.verdict import SEEDS_AT_LOOKS, judge

REPORT_SECONDS = 10.0
"""Kept for the report and its pictures."""


class OutOfTime(Exception):
    """A training reached the time at which it had to stop; its state is saved."""


def seconds_of(budget: float | str) -> float:
    """Return the seconds of a budget: a number of them, or text such as `90s`, `20m`, `1h30m`.

    >>> seconds_of(45), seconds_of("45"), seconds_of("1h30m")
    (45.0, 45.0, 5400.0)

    Raises:
        UsageError: It is no duration, or none of any length.
    """
    seconds = 0.0
    if isinstance(budget, str):
        number = r"(\d+(?:\.\d+)?)"
        match = re.fullmatch(
            rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", budget.strip().lower()
        )
        if match:
            hours, minutes, rest = (float(part or 0) for part in match.groups())
            seconds = 3600 * hours + 60 * minutes + rest
    elif isinstance(budget, int | float | np.number):
        seconds = float(budget)
    if not 0 < seconds < math.inf:
        raise UsageError(
            f"the budget is {budget!r}",
            expected="a duration of more than 0, such as 90s, 20m or 1h30m, or a number of seconds",
            fix="use for example --budget 20m, in Python budget='20m'",
        )
    return seconds


@dataclass(frozen=True)
class Budget:
    """The time that a climb may take.

    Args:
        seconds: From start to end, report included.
        started: When it began, by `time.monotonic`.
    """

    seconds: float
    started: float

    @property
    def ends(self) -> float:
        """When it ends, by `time.monotonic`."""
        return self.started + self.seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()


Pair = tuple[Rung, int]
Measured = Callable[[], Sequence[RungResult]]


class Allotment:
    """Decides which rung is measured with which seed next, until the time is up.

    Args:
        budget: The time.
        ladder: What to measure.
        dataset: On what.
        seeds: The most that a rung is measured with, in order.
        jobs: Gives the trainings of a rung with a seed.
        pace: Knows how long they take.
        measured: Gives what was measured so far, rungs in order, each with the base that it is
            compared with.
    """

    def __init__(
        self,
        budget: Budget,
        ladder: Ladder,
        dataset: Dataset,
        seeds: Sequence[int],
        jobs: Callable[[Rung, int], list[Job]],
        pace: Pace,
        measured: Measured,
    ) -> None:
        self._budget, self._ladder, self._dataset = budget, ladder, dataset
        self._seeds, self._make_jobs, self._pace = tuple(seeds), jobs, pace
        self._measured = measured
        self._made: dict[tuple[str, int], list[Job]] = {}
        self._stopped: list[Pair] = []

    def pairs(self) -> Iterator[Pair]:
        """Yield what to measure next; each is measured or told `unfinished` before the next."""
        first, *later = SEEDS_AT_LOOKS
        for seed in self._seeds[:first]:
            for rung in self._ladder.rungs:
                yield from self._if_they_fit(self._missing(rung, seed))
        for count in later:
            for rung in self._open_rungs():
                for seed in self._seeds[:count]:
                    yield from self._if_they_fit(self._missing(rung, seed))

    def unfinished(self, rung: Rung, seed: int) -> None:
        """Take note that the training had to stop; it is not tried again."""
        self._stopped.append((rung, seed))

    def training_ends(self, rung: Rung) -> float:
        """Return when, by `time.monotonic`, a training of the rung has to stop."""
        kept = self._hopeful()
        return self._budget.ends - kept._reserve(rung) - kept._predicting_validation(rung)

    def fitting_ends(self, rung: Rung) -> float:
        """Return when, by `time.monotonic`, the fitting of the rung as net to use has to stop."""
        return self._budget.ends - self._closing(rung)

    def forecast(self) -> str:
        """Say before the start what fits."""
        planned: list[Pair] = []
        counts: dict[str, int] = {}
        for count, seed in enumerate(self._seeds[: SEEDS_AT_LOOKS[0]], start=1):
            for rung in self._ladder.rungs:
                base = self._base_among(rung, counts)
                paired = base is None or counts[base.name] == count
                if paired and counts.get(rung.name, 0) == count - 1:
                    pairs = [*planned, (rung, seed)]
                    if self._needed(pairs) <= self._budget.left:
                        planned, counts[rung.name] = pairs, count
        told = ", ".join(f"{rung.name} {counts.get(rung.name, 0)}" for rung in self._ladder.rungs)
        left = max(0.0, self._budget.left - self._needed(planned))
        return (
            f"budget {duration(self._budget.seconds)}: with so many seeds the rungs fit first: "
            f"{told}; about {duration(left)} are left for verdicts that are open"
        )

    def left_out(self) -> tuple[str, ...]:
        """Say what was not measured, for want of time or of hope."""
        counts = {result.rung.name: len(result.seeds) for result in self._measured()}
        first = self._seeds[0]
        told = [
            f"{rung.name} was not measured: "
            f"one seed takes about {duration(self.cost([(rung, first)]))}"
            for rung in self._ladder.rungs
            if rung.name not in counts
        ]
        wanted = min(SEEDS_AT_LOOKS[0], len(self._seeds))
        few = [name for name, count in counts.items() if count < wanted]
        if few:
            told.append(f"measured with fewer than {wanted} seeds: {', '.join(few)}")
        told += [
            f"{rung.name} with seed {seed} was stopped in its training; a later climb goes on"
            for rung, seed in self._stopped
        ]
        hopeless = [
            result.rung.name
            for result in judge(self._measured(), adaptive=True)
            if result.verdict == "unclear" and result.gain and result.gain.further_seeds is None
            if len(result.gain.values) > 1
        ]
        if hopeless:
            told.append(f"no number of further seeds would tell: {', '.join(hopeless)}")
        return tuple(told)

    def cost(self, pairs: Sequence[Pair]) -> float:
        """Return about how many seconds it takes to measure rungs with seeds, from now on."""
        nets = {(job.key, job.seed): job for pair in pairs for job in self._jobs(*pair)}
        missing = (job for job in nets.values() if not job.is_finished())
        training = sum(self._pace.training(job) or 0.0 for job in missing)
        return training + sum(self._predicting_validation(rung) for rung, _ in pairs)

    def require_enough(self) -> None:
        """Refuse a budget that is too small for the first rung.

        Raises:
            UsageError: It is.
        """
        rung = self._ladder.rungs[0]
        needed = self._hopeful()._needed([(rung, self._seeds[0])])
        if needed > self._budget.left:
            least = needed + self._budget.seconds - self._budget.left
            raise UsageError(
                f"the budget of {duration(self._budget.seconds)} is too small: {rung.name} with "
                f"one seed, the test set and the report take about {duration(least)}",
                expected=f"a budget of {duration(least)} or more, better several times as much",
                fix=f"use for example --budget {duration(5 * least)}, or climb a smaller ladder "
                "with --rungs",
            )

    def _hopeful(self) -> "Allotment":
        """Return what decides as on a machine at rest, until something is measured.

        A machine that is busy while the first steps are timed may be free a moment later.
        """
        if self._measured():
            return self
        hopeful = copy.copy(self)
        hopeful._pace = self._pace.at_rest()
        return hopeful

    def _if_they_fit(self, pairs: Sequence[Pair]) -> Iterator[Pair]:
        """Yield all of the pairs while there is time for all of them: a base alone is no use."""
        for place, pair in enumerate(pairs):
            if any(one in self._stopped for one in pairs):
                return
            if self._hopeful()._needed(pairs[place:]) > self._budget.left:
                return
            yield pair

    def _missing(self, rung: Rung, seed: int) -> list[Pair]:
        """Return what the rung's gain with a seed lacks, its base first.

        Nothing where an earlier seed is missing: the seeds of a rung have no gaps.
        """
        base = self._base_among(rung, [result.rung.name for result in self._measured()])
        pairs = [(one, seed) for one in (base, rung) if one and seed not in self._seeds_of(one)]
        earlier = self._seeds[: self._seeds.index(seed)]
        return pairs if all(self._seeds_of(one) == earlier for one, _ in pairs) else []

    def _open_rungs(self) -> list[Rung]:
        """Return the rungs that further seeds could decide on, the cheapest decision first."""
        last = self._seeds[-1]
        still = [
            (gain.further_seeds * self.cost([(result.rung, last)]), result.rung)
            for result in judge(self._measured(), adaptive=True)
            if result.verdict == "unclear"
            and (gain := result.gain)
            and gain.further_seeds
            and len(gain.values) in SEEDS_AT_LOOKS
        ]
        return [rung for _, rung in sorted(still, key=lambda one: one[0])]

    def _base_among(self, rung: Rung, names: Iterable[str]) -> Rung | None:
        """Return the rung that this one is compared with, where only these are measured."""
        base = self._ladder.only([*names, rung.name]).rung(rung.name).base
        return self._ladder.rung(base) if base else None

    def _seeds_of(self, rung: Rung) -> tuple[int, ...]:
        found = (result.seeds for result in self._measured() if result.rung.name == rung.name)
        return next(found, ())

    def _needed(self, pairs: Sequence[Pair]) -> float:
        """Return the seconds to measure the pairs and to come to the end from there."""
        return self.cost(pairs) + self._reserve(*(rung for rung, _ in pairs))

    def _reserve(self, *further: Rung) -> float:
        """Return the seconds to keep for the end, should one of `further` turn out the best."""
        chosen_on = [result for result in self._measured() if result.chosen_on]
        best = [best_of(chosen_on).rung] if chosen_on else []
        return self._closing(*further) + max(map(self._fitting, (*best, *further)), default=0.0)

    def _closing(self, *further: Rung) -> float:
        """Return the seconds for test set and report, `further` being measured once more."""
        measured = [result.rung for result in self._measured() for _ in result.seeds]
        return REPORT_SECONDS + sum(map(self._predicting_test, (*measured, *further)))

    def _fitting(self, rung: Rung) -> float:
        """Return the seconds to make the rung's net the one to use."""
        recipe = on_all_images(rung.recipe, self._dataset)
        if recipe == rung.recipe:
            return 0.0
        fitted = self._make_jobs(replace(rung, recipe=recipe), self._seeds[0])
        if all(job.is_finished() for job in fitted):
            return self._predicting_test(rung)
        held_out = float(rung.recipe.validation)  # Otherwise the recipe would stay as it is.
        jobs = self._jobs(rung, self._seeds[0])
        training = sum(self._pace.training(job) or 0.0 for job in jobs) / (1 - held_out)
        return training + self._predicting_test(rung)

    def _predicting_validation(self, rung: Rung) -> float:
        jobs = self._jobs(rung, self._seeds[0])
        return self._pace.predicting(rung.recipe, jobs, jobs[0].validation_images)

    def _predicting_test(self, rung: Rung) -> float:
        images = len(self._dataset.test) if self._dataset.test else 0
        return self._pace.predicting(rung.recipe, self._jobs(rung, self._seeds[0]), images)

    def _jobs(self, rung: Rung, seed: int) -> list[Job]:
        """Return the trainings of a rung with a seed, always the same ones: they know counts."""
        if (rung.name, seed) not in self._made:
            self._made[rung.name, seed] = self._make_jobs(rung, seed)
        return self._made[rung.name, seed]
