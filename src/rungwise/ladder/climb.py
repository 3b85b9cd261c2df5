"""Climbing a ladder: train what is missing, predict what is missing, and compare the rungs.

for each rung and seed:   train its nets that no run holds yet, predict the validation images
if wanted:                fit the best rung's recipe once more, as the net to use
at the end, once:         open the test set and predict it      -> ClimbResult, records on disk

Without a budget rungs and seeds come in the ladder's order; with one, `budget.py` decides.
"""

import contextlib
import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rungwise.data import Dataset, LabelledImages
from rungwise.errors import BusyError, DamagedError, RunError, UsageError
from rungwise.ladder.budget import Allotment, Budget, OutOfTime
from rungwise.ladder.comparison import Answers
from rungwise.ladder.final import best_of, on_all_images
from rungwise.ladder.job import Job, make_jobs
from rungwise.ladder.ledger import earlier_openings, record_opening
from rungwise.ladder.numbers import duration
from rungwise.ladder.outlook import Outlook
from rungwise.ladder.pace import Pace, Stopwatch
from rungwise.ladder.predictions import Part, prediction_path, predictor_of, probabilities_of
from rungwise.ladder.result import ClimbResult, Final, Measured, RungResult
from rungwise.ladder.run import Run, slug
from rungwise.ladder.rung import Ladder, Protocol, Rung
from rungwise.ladder.verdict import judge
from rungwise.models.input import network_shape
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.origin import Figures
from rungwise.prediction.predictor import Predictor
from rungwise.storage import remove_left_behind, write_text
from rungwise.training.loop import Progress
from rungwise.training.parsing import dump_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

SECONDS_BETWEEN_LOOKS = 0.5
PROBE_SECONDS = 1.0
MODEL_NAME = "model.safetensors"


class ClimbEvent(NamedTuple):
    """What a climb is doing; `progress` and `epochs`, of all, are there while a net is trained.

    What is `notable` is out of the ordinary course.
    """

    rung: str
    seed: Seed
    doing: str
    progress: Progress | None = None
    epochs: int = 0
    notable: bool = False


class RungMeasured(NamedTuple):
    """A rung is measured with a seed; `accuracy`, of 0..1, is None where nothing is held out."""

    rung: str
    seed: Seed
    accuracy: float | None


class Notice(NamedTuple):
    """Something to know of the whole climb."""

    text: str


class Seen(NamedTuple):
    """A rung measured with one seed."""

    runs: tuple[Run, ...]
    validation: Measured | None


Event = ClimbEvent | RungMeasured | Notice
Events = Generator[Event, None, None]
Watcher = Callable[[Event], None]


@dataclass
class Climb:
    """A climb of one ladder on one data set.

    Args:
        ladder: Under the protocol already.
        dataset: What to train and measure on.
        seeds: Draws of the data that each rung is measured with; with a budget the first of them,
            as many as fit.
        root: The folder of all runs.
        device: Where to work.
        protocol: Written onto everything that the climb prints.
        command: What the user wrote, for the records; empty where it was no command line.
        budget: The time that is allowed; None for as much as it takes.
        fits: With how many seeds, from the first on, to fit the best rung's recipe once more; the
            first one's is the net to use.
        opens_test: Whether the test set is opened at the end.
        unread: What the ladder's reading could not show, for the records.
        resized: The data set at the sizes of those rungs that name one, with the identities that
            the images have in `dataset`.
    """

    ladder: Ladder
    dataset: Dataset
    seeds: tuple[int, ...]
    root: Path
    device: torch.device
    protocol: Protocol = "sealed"
    command: str = ""
    budget: Budget | None = None
    fits: int = 0
    opens_test: bool = True
    unread: tuple[str, ...] = ()
    resized: Mapping[tuple[int, int], Dataset] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace, repr=False)
    outlook: Outlook = field(default_factory=Outlook, init=False, repr=False)
    _seen: dict[str, dict[int, Seen]] = field(default_factory=dict, init=False, repr=False)
    _noted: str | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path:
        """Where records and pictures go: a folder for each ladder, data, protocol and recipes."""
        rungs = [
            [rung.base, dump_recipe(rung.recipe), *([rung.image_size] if rung.image_size else [])]
            for rung in self.ladder.rungs
        ]
        content = json.dumps([rungs, self.dataset.fingerprint], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:6]
        reading = [] if self.ladder.reading == "cumulative" else [self.ladder.reading]
        kind = [self.protocol, *reading, *(["budget"] if self.budget else [])]
        name = "-".join([self.ladder.name.replace("/", "-"), slug(self.dataset.name), *kind, key])
        return self.root / "climbs" / name

    def jobs(self, rung: Rung, seed: int) -> list[Job]:
        """Return the trainings whose nets make up the rung's predictor for a seed."""
        return self._jobs_of(rung, rung.recipe, seed)

    def _jobs_of(self, rung: Rung, recipe: Recipe, seed: int) -> list[Job]:
        return make_jobs(recipe, self.data_of(rung), Seed(seed), self.root, self.device)

    def data_of(self, rung: Rung) -> Dataset:
        """Return the data set at the rung's size of images."""
        if rung.image_size in (None, self.dataset.train.shape[1:]):
            return self.dataset
        return self.resized[rung.image_size]

    def run(self, watch: Watcher | None = None) -> ClimbResult:
        """Do the work and return the result; `watch` is called with each step.

        Whatever `watch` raises ends the climb and loses nothing: the state is saved first.

        Raises:
            UsageError, RunError, StorageError: As `events`.
        """
        with contextlib.closing(self.events()) as events:
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    result: ClimbResult = end.value
                    return result
                if watch:
                    watch(event)

    def events(self) -> Generator[Event, None, ClimbResult]:
        """Do the work, yielding each step; what the generator returns is the result.

        Whoever stops iterating loses nothing: a second climb goes on from what is saved.

        Raises:
            UsageError: The budget is too small for a single training, or there are no images to
                measure on.
            RunError: A training diverges, or the budget ends before anything is measured.
            StorageError: The disk is full or the place cannot be written.
        """
        self._require_images()
        remove_left_behind(self.folder)
        self._seen.clear()
        self._noted = None
        self.outlook = Outlook()
        left_out = yield from self._measure_rungs()
        ladder = self.ladder.only(list(self._seen))
        final, missed = (yield from self._fit(ladder)) if self.fits else (None, ())
        results, final, earlier = yield from self._open_test(ladder, final)
        result = ClimbResult(
            ladder=ladder,
            data=self.dataset.name,
            seeds=max(results, key=lambda one: len(one.seeds)).seeds,
            protocol=self.protocol,
            rungs=judge(results, adaptive=self.budget is not None),
            folder=self.folder,
            earlier_openings=earlier,
            left_out=(*self.unread, *left_out, *missed),
            final=final,
            budget=self.budget.seconds if self.budget else None,
        )
        self._write(result)
        return result

    def _require_images(self) -> None:
        tested = self.opens_test and self.dataset.test is not None
        held_out = self.dataset.validation is not None or self.ladder.rungs[0].recipe.validation
        if not (tested or held_out):
            raise UsageError(
                f"there are no images to measure the ladder {self.ladder.name!r} on",
                expected="validation images held out, or a data set with test images",
                fix="set validation: 0.1 in the recipes, or add a test part to the data",
            )

    def predictor(self, rung: Rung) -> Predictor:
        """Return the rung's predictor for the first seed, once its nets are trained."""
        return predictor_of(rung.recipe, _finished(self.jobs(rung, self.seeds[0])), self.device)

    def seconds_left(self) -> float | None:
        """Return about how long it still takes: up to the budget's end, else the trainings left.

        None while too little is known of the trainings.
        """
        if self.budget:
            return max(0.0, self.budget.left)
        return self.outlook.seconds(self.pace)

    def time(self) -> Events:
        """Find out how long each rung's trainings take, where nothing is known of it yet."""
        for rung in self.ladder.rungs:
            for job in self.jobs(rung, self.seeds[0]):
                if self.pace.knows(job):
                    continue
                like = job.recorded_seconds()
                if like is None:
                    yield ClimbEvent(rung.name, job.seed, "is timed by a few steps")
                    watch = self._stopwatch()
                    seconds = job.probe(self._probe_seconds())
                    self.pace.learn(job, seconds, watch.slowness)
                else:
                    self.pace.learn(job, like)

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(on_processor=self.device.type == "cpu")

    def allotment(self, budget: Budget) -> Allotment:
        """Return what decides on the next rung and seed, once `time` is through."""
        return Allotment(
            budget,
            self.ladder,
            self.dataset,
            self.seeds,
            self.jobs,
            self.pace,
            lambda: self._results(self.ladder.only(list(self._seen)), {}),
        )

    def _probe_seconds(self) -> float:
        if self.budget is None:
            return PROBE_SECONDS
        return min(PROBE_SECONDS, self.budget.seconds / 100)

    def _measure_rungs(self) -> Generator[Event, None, tuple[str, ...]]:
        """Measure the rungs on validation images; return what was left out for want of time."""
        if self.budget is None:
            pairs = [(rung, seed) for rung in self.ladder.rungs for seed in self.seeds]
            self.outlook.expect(job for rung, seed in pairs for job in self.jobs(rung, seed))
            for rung, seed in pairs:
                yield from self._measure_rung(rung, seed, math.inf)
            return ()
        yield from self.time()
        allotment = self.allotment(self.budget)
        allotment.require_enough()
        yield Notice(allotment.forecast())
        for rung, seed in allotment.pairs():
            try:
                yield from self._measure_rung(rung, seed, allotment.training_ends(rung))
            except OutOfTime:
                allotment.unfinished(rung, seed)
        if not self._seen:
            raise RunError(
                f"the budget of {duration(self.budget.seconds)} ended before anything was measured",
                expected="a budget for one training at least",
                fix="give the command again with a larger --budget: it goes on from what is saved",
            )
        return allotment.left_out()

    def _measure_rung(self, rung: Rung, seed: int, ends: float) -> Events:
        jobs = self.jobs(rung, seed)
        for job in jobs:
            yield from self._train(rung.name, job, ends)
        yield ClimbEvent(rung.name, Seed(seed), "predicts the validation images")
        runs = _finished(jobs)
        for run in runs:
            if run.collapse:
                yield ClimbEvent(rung.name, Seed(seed), f"collapsed: {run.collapse}", notable=True)
        held_out = jobs[0].parts().validation
        validation = self._measure(rung, rung.recipe, runs, held_out, "validation")
        self._seen.setdefault(rung.name, {})[seed] = Seen(runs, validation)
        accuracy = validation.evaluation.accuracy if validation else None
        yield RungMeasured(rung.name, Seed(seed), accuracy)

    def _train(self, rung: str, job: Job, ends: float) -> Events:
        """Train the job unless its run is there; wait where another process trains it."""
        while True:
            try:
                with job.alone():
                    yield from self._train_alone(rung, job, ends)
                self.outlook.is_there(job)
                return
            except BusyError:
                waits = "waits for another process that trains it"
                yield ClimbEvent(rung, job.seed, waits, notable=True)
                if time.monotonic() > ends:
                    raise OutOfTime from None
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _train_alone(self, rung: str, job: Job, ends: float) -> Events:
        try:
            if job.finished():
                return
            yield from self._steps(rung, job, ends)
        except DamagedError as error:
            told = f"{error.problem}; set aside as {job.set_aside()}, trained again"
            yield ClimbEvent(rung, job.seed, told, notable=True)
            yield from self._steps(rung, job, ends)

    def _steps(self, rung: str, job: Job, ends: float) -> Events:
        resumed, started, watch = job.is_started(), time.monotonic(), self._stopwatch()
        with contextlib.closing(job.train()) as training:
            for progress in training:
                share = self.outlook.goes_on(job, progress)
                if progress.record and not resumed:
                    seconds = (time.monotonic() - started) / share
                    self.pace.learn(job, seconds, watch.slowness)
                yield ClimbEvent(rung, job.seed, "trains", progress, job.recipe.epochs)
                if time.monotonic() > ends:
                    raise OutOfTime
        self.outlook.has_trained(job)
        if not resumed:
            self.pace.learn(job, time.monotonic() - started, watch.slowness)

    def _fit(self, ladder: Ladder) -> Generator[Event, None, tuple[Final, tuple[str, ...]]]:
        """Fit the best rung's recipe to all training images, and save its predictor.

        Returns what was left out, too, if time was short.
        """
        rung, missed = self._best(ladder), tuple[str, ...]()
        recipe, first = on_all_images(rung.recipe, self.data_of(rung)), self.seeds[0]
        ends = self.allotment(self.budget).fitting_ends(rung) if self.budget else math.inf
        jobs = [self._jobs_of(rung, recipe, first + further) for further in range(self.fits)]
        self.outlook.expect(itertools.chain(*jobs))
        try:
            for job in itertools.chain(*jobs):
                yield from self._train(f"final {rung.name}", job, ends)
        except OutOfTime:
            told = f"no time was left to fit {rung.name} to all images, seed {first} is taken"
            yield Notice(told)
            recipe, missed = rung.recipe, (told,)
            jobs = [self._jobs_of(rung, recipe, first)]
        runs = tuple(_finished(of_seed) for of_seed in jobs)
        train_images = len(jobs[0][0].parts().train)
        final = Final(recipe, runs, self.folder / MODEL_NAME, train_images)
        self._save(final)
        return final, missed

    def _save(self, final: Final, test: LabelledImages | None = None) -> None:
        """Write the first seed's predictor, with what it does on the test images, if they are."""
        predictor = predictor_of(final.recipe, final.runs[0], self.device)
        if test is not None and final.test:
            predictor = predictor.measured(Figures.of("test", final.test[0].evaluation, len(test)))
        predictor.save(final.model)

    def _best(self, ladder: Ladder) -> Rung:
        results = [result for result in self._results(ladder, {}) if result.validation]
        if results:
            return best_of(results).rung
        return ([rung for rung in ladder.rungs if not rung.control] or ladder.rungs)[-1]

    def _open_test(
        self, ladder: Ladder, final: Final | None
    ) -> Generator[Event, None, tuple[list[RungResult], Final | None, int]]:
        """Predict the test images, once everything is chosen."""
        images = self.dataset.test
        if images is None or not self.opens_test:
            return self._results(ladder, {}), final, 0
        test: dict[str, list[Measured]] = {}
        for rung in ladder.rungs:
            for seed, seen in self._seen[rung.name].items():
                yield ClimbEvent(rung.name, Seed(seed), "predicts the test images")
                at_its_size = self.data_of(rung).test
                measured = self._measure(rung, rung.recipe, seen.runs, at_its_size, "test")
                test.setdefault(rung.name, []).extend([measured] if measured else [])
        if final:
            rung = self._best(ladder)
            images = self.data_of(rung).test
            found = [self._measure(rung, final.recipe, runs, images, "test") for runs in final.runs]
            final = replace(final, test=tuple(measured for measured in found if measured))
            self._save(final, images)
        earlier = earlier_openings(self.root, self.dataset, self._noted or self._name())
        return self._results(ladder, test), final, earlier

    def _note_opening(self) -> None:
        """Write down that test images are looked at, before the first look."""
        if self._noted is None:
            self._noted = self._name()
            record_opening(self.root, self.dataset, self._noted)

    def _name(self) -> str:
        """Return what the ledger calls this climb: the same for the same ladder and seeds."""
        seeds = sorted({seed for seen in self._seen.values() for seed in seen})
        if self.budget is None:
            seeds = list(self.seeds)
        return f"climb {self.folder.name} with the seeds {' '.join(map(str, seeds))}"

    def _measure(
        self,
        rung: Rung,
        recipe: Recipe,
        runs: Sequence[Run],
        images: LabelledImages | None,
        part: Part,
    ) -> Measured | None:
        if images is None:
            return None
        path = prediction_path(recipe, runs, images, self.root)
        if images is self.data_of(rung).test and not path.exists():  # Under either name.
            self._note_opening()
        probabilities = probabilities_of(recipe, runs, images, part, self.root, self.device)
        right = (probabilities.argmax(1) == images.labels).numpy()
        answers = Answers(images.identities, right)
        return Measured(evaluate(probabilities, images), answers, path, images.fingerprint)

    def _results(self, ladder: Ladder, test: dict[str, list[Measured]]) -> list[RungResult]:
        """Return the figures of the rungs that were measured, not compared yet."""
        return [
            RungResult(
                rung=rung,
                seeds=tuple(seen),
                validation=tuple(one.validation for one in seen.values() if one.validation),
                test=tuple(test.get(rung.name, [])),
                runs=tuple(one.runs for one in seen.values()),
            )
            for rung in ladder.rungs
            if (seen := self._seen.get(rung.name))
        ]

    def _write(self, result: ClimbResult) -> None:
        """Write the records, unless the very same are there: they keep the time of the first."""
        about = {"ladder": result.ladder.name, "data": result.data, "protocol": result.protocol}
        lines = [json.dumps({**about, **line}) for rung in result.rungs for line in rung.lines()]
        figures = {
            "results.jsonl": "".join(f"{line}\n" for line in lines),
            "climb.json": json.dumps(result.to_dict(), indent=1),
        }
        circumstances = result.folder / "circumstances.json"
        if circumstances.exists() and all(
            _holds(result.folder / name, text) for name, text in figures.items()
        ):
            return
        for name, text in figures.items():
            write_text(result.folder / name, text)
        write_text(circumstances, json.dumps(self._circumstances(result.ladder), indent=1))

    def _circumstances(self, ladder: Ladder) -> dict[str, Any]:
        """Return what the report tells beside the figures, and needs to draw them again."""
        data = self.dataset
        return {
            "title": ladder.title,
            "command": self.command,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "dataset": {
                "fingerprint": data.fingerprint,
                "per_class": data.per_class,
                "image_size": data.image_size,
                "bad_files": data.bad_files,
                "test_share": data.test_share,
                "shape": data.train.shape,
                "network_shape": network_shape(data.train),
                "class_names": data.train.class_names,
                "train_images": len(data.train),
                "test_images": len(data.test) if data.test else 0,
            },
            "recipes": {rung.name: dump_recipe(rung.recipe) for rung in ladder.rungs},
            "image_sizes": {r.name: r.image_size for r in ladder.rungs if r.image_size},
        }


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()


def _finished(jobs: Sequence[Job]) -> tuple[Run, ...]:
    return tuple(run for job in jobs if (run := job.finished()))
