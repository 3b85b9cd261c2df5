"""A climb within a given time: what fits, what is measured next, when to stop.

first     every rung with seed 0, 1, 2, as far as time allows
then      further seeds for the rungs whose verdict is open, up to 6, 12, 24; what is clearly
          worse or clearly better gets no more
at last   time is kept for fitting the net to use, opening the test set and the report
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
        measured: Gives what was measured so far, rungs in order, on the images to choose by.
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
        self._seeds, self._jobs, self._pace = tuple(seeds), jobs, pace
        self._measured = measured
        self._unfinished: list[Pair] = []

    def pairs(self) -> Iterator[Pair]:
        """Yield what to measure next; each is measured or told `unfinished` before the next."""
        first, *later = SEEDS_AT_LOOKS
        for seed in self._seeds[:first]:
            yield from self._if_they_fit([(rung, seed) for rung in self._ladder.rungs])
        for count in later:
            for rung in self._open_rungs():
                for seed in self._seeds[:count]:
                    yield from self._if_they_fit(self._with_base(rung, seed))

    def unfinished(self, rung: Rung, seed: int) -> None:
        """Take note that the training had to stop."""
        self._unfinished.append((rung, seed))

    def training_ends(self, rung: Rung) -> float:
        """Return when, by `time.monotonic`, a training of the rung has to stop."""
        return self._budget.ends - self._reserve(rung)

    def forecast(self) -> str:
        """Say before the start what fits."""
        left = self._budget.left - self._reserve(None)
        fitting = dict.fromkeys((rung.name for rung in self._ladder.rungs), 0)
        for count, seed in enumerate(self._seeds[: SEEDS_AT_LOOKS[0]], start=1):
            for rung in self._ladder.rungs:
                cost = self.cost(rung, seed)
                if cost <= left:
                    left, fitting[rung.name] = left - cost, count
        counts = ", ".join(f"{name} {count}" for name, count in fitting.items())
        return (
            f"budget {duration(self._budget.seconds)}: with so many seeds the rungs fit first: "
            f"{counts}; about {duration(max(0.0, left))} are left for verdicts that are open"
        )

    def left_out(self) -> tuple[str, ...]:
        """Say what was not measured for want of time."""
        counts = {result.rung.name: len(result.seeds) for result in self._measured()}
        told = [
            f"{rung.name} was not measured: one seed takes about {duration(cost)}"
            for rung in self._ladder.rungs
            if rung.name not in counts
            for cost in [self.cost(rung, self._seeds[0])]
        ]
        wanted = min(SEEDS_AT_LOOKS[0], len(self._seeds))
        few = [name for name, count in counts.items() if count < wanted]
        if few:
            told.append(f"measured with fewer than {wanted} seeds: {', '.join(few)}")
        told += [
            f"{rung.name} with seed {seed} was stopped in its training; a later climb goes on"
            for rung, seed in self._unfinished
        ]
        return tuple(told)

    def cost(self, rung: Rung, seed: int) -> float:
        """Return about how many seconds it takes to measure a rung with a seed, from now on."""
        jobs = self._jobs(rung, seed)
        training = sum(self._pace.training(job) or 0.0 for job in jobs if not job.is_finished())
        part = jobs[0].parts().validation
        return training + self._pace.predicting(rung.recipe, jobs, len(part) if part else 0)

    def require_enough(self) -> None:
        """Refuse a budget that is too small for the first rung.

        Raises:
            UsageError: It is.
        """
        rung = self._ladder.rungs[0]
        needed = self.cost(rung, self._seeds[0]) + self._reserve(rung)
        if needed > self._budget.left:
            least = needed + self._budget.seconds - self._budget.left
            raise UsageError(
                f"the budget of {duration(self._budget.seconds)} is too small: {rung.name} with "
                f"one seed, the test set and the report take about {duration(least)}",
                expected=f"a budget of {duration(least)} or more, better several times as much",
                fix=f"use for example --budget {duration(5 * least)}, or climb a smaller ladder "
                "with --rungs",
            )

    def _if_they_fit(self, pairs: Sequence[Pair]) -> Iterator[Pair]:
        for rung, seed in pairs:
            if seed != self._next_seed(rung) or not self._base_has(rung, seed):
                continue
            ends = self.training_ends(rung) - self._predicting_test(rung)
            if time.monotonic() + self.cost(rung, seed) <= ends:
                yield rung, seed

    def _open_rungs(self) -> list[Rung]:
        """Return the rungs that further seeds could decide on, the cheapest decision first."""
        results = self._measured()
        still = [
            (result.gain.further_seeds * self.cost(result.rung, self._seeds[-1]), result.rung)
            for result in judge(results, adaptive=True)
            if result.verdict == "unclear"
            and result.gain
            and result.gain.further_seeds
            and len(result.seeds) in SEEDS_AT_LOOKS
        ]
        return [rung for _, rung in sorted(still, key=lambda one: one[0])]

    def _with_base(self, rung: Rung, seed: int) -> list[Pair]:
        base = self._base_of(rung)
        return [(base, seed), (rung, seed)] if base else [(rung, seed)]

    def _base_of(self, rung: Rung) -> Rung | None:
        """Return the rung that this one is compared with, of those that were measured."""
        names = [result.rung.name for result in self._measured()]
        base = self._ladder.only([*names, rung.name]).rung(rung.name).base
        return self._ladder.rung(base) if base else None

    def _base_has(self, rung: Rung, seed: int) -> bool:
        base = self._base_of(rung)
        return base is None or seed in self._seeds_of(base)

    def _next_seed(self, rung: Rung) -> int | None:
        """Return the first seed that the rung was not measured with."""
        return next((seed for seed in self._seeds if seed not in self._seeds_of(rung)), None)

    def _seeds_of(self, rung: Rung) -> tuple[int, ...]:
        found = (result.seeds for result in self._measured() if result.rung.name == rung.name)
        return next(found, ())

    def _reserve(self, rung: Rung | None) -> float:
        """Return the seconds to keep for the end, should `rung` turn out to be the best."""
        results = [result for result in self._measured() if result.chosen_on]
        test = sum(len(result.seeds) * self._predicting_test(result.rung) for result in results)
        best = [best_of(results).rung] if results else []
        fits = [self._fitting(one) for one in (*best, *([rung] if rung else []))]
        return REPORT_SECONDS + test + max(fits, default=0.0)

    def _fitting(self, rung: Rung) -> float:
        if on_all_images(rung.recipe, self._dataset) == rung.recipe:
            return 0.0
        jobs = self._jobs(rung, self._seeds[0])
        held_out = float(rung.recipe.validation)  # Otherwise the recipe would stay as it is.
        return sum(self._pace.training(job) or 0.0 for job in jobs) / (1 - held_out)

    def _predicting_test(self, rung: Rung) -> float:
        images = len(self._dataset.test) if self._dataset.test else 0
        return self._pace.predicting(rung.recipe, self._jobs(rung, self._seeds[0]), images)
