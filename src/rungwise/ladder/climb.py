"""Climbing a ladder: train what is missing, predict what is missing, and compare the rungs.

for each rung and seed:   train its nets that no run holds yet   -> events
for each rung and seed:   predict the validation images
at the end, once:         open the test set and predict it       -> ClimbResult, results.jsonl
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rungwise.data import Dataset
from rungwise.errors import BusyError, DamagedError
from rungwise.ladder.comparison import Answers, Gain, Verdict, compare, verdicts
from rungwise.ladder.job import Job, make_job
from rungwise.ladder.ledger import record_opening
from rungwise.ladder.predictions import Part, prediction_path, predictor_of, probabilities_of
from rungwise.ladder.run import Run, slug
from rungwise.ladder.rung import Ladder, Protocol, Rung
from rungwise.ladder.statistics import Spread
from rungwise.prediction.metrics import Evaluation, evaluate
from rungwise.prediction.predictor import Predictor
from rungwise.storage import write_text
from rungwise.training.loop import Progress
from rungwise.training.parsing import dump_recipe
from rungwise.training.seed import Seed

SECONDS_BETWEEN_LOOKS = 0.5
REPORT_NAME = "report.html"
"""The page that a climb's folder ends with; `rungwise.report` writes it."""


class ClimbEvent(NamedTuple):
    """What a climb is doing; `progress` is there while a net is trained."""

    rung: str
    seed: Seed
    doing: str
    progress: Progress | None = None


class Measured(NamedTuple):
    """What one predictor did on one set of images."""

    evaluation: Evaluation
    answers: Answers
    predictions: Path
    fingerprint: str


@dataclass(frozen=True)
class RungResult:
    """One rung's figures over the seeds.

    Args:
        rung: The rung.
        validation: What was measured with each seed; empty where nothing was held out.
        test: What was measured with each seed; empty where the data has no test part.
        runs: For each seed, the runs of its nets.
        gain: The gain over the base, on the images that choices are made on.
        verdict: What the gain says, corrected for the number of rungs.
    """

    rung: Rung
    validation: tuple[Measured, ...]
    test: tuple[Measured, ...]
    runs: tuple[tuple[Run, ...], ...]
    gain: Gain | None = None
    verdict: Verdict | None = None

    @property
    def answers(self) -> list[Answers]:
        """The answers that choices are made on: on validation images where there are any."""
        return [measured.answers for measured in self.validation or self.test]

    @property
    def seconds(self) -> float:
        """Mean training time of one seed, all its nets together."""
        return self._mean_over_seeds("seconds")

    @property
    def flops(self) -> float:
        """Mean training operations of one seed, all its nets together."""
        return self._mean_over_seeds("flops")

    def _mean_over_seeds(self, figure: str) -> float:
        total = sum(float(run.summary[figure]) for runs in self.runs for run in runs)
        return total / len(self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `climb --json` prints them."""
        return {
            "name": self.rung.name,
            "change": self.rung.change,
            "base": self.rung.base,
            "control": self.rung.control,
            "val_accuracy": _accuracies(self.validation),
            "test_accuracy": _accuracies(self.test),
            "reference": self.rung.reference,
            "gain": self.gain.mean if self.gain else None,
            "interval": list(self.gain.interval) if self.gain and self.gain.interval else None,
            "verdict": self.verdict,
            "gain_details": self.gain.to_dict() if self.gain else None,
            "seconds": self.seconds,
            "flops": self.flops,
        }


def _accuracies(measured: Sequence[Measured]) -> dict[str, Any] | None:
    return accuracies(measured).to_dict() if measured else None


def accuracies(measured: Sequence[Measured]) -> Spread:
    """Return the accuracies over the seeds."""
    return Spread(tuple(one.evaluation.accuracy for one in measured))


@dataclass(frozen=True)
class ClimbResult:
    """What a climb found, with where it lies."""

    ladder: Ladder
    data: str
    seeds: tuple[int, ...]
    protocol: Protocol
    rungs: tuple[RungResult, ...]
    folder: Path
    earlier_openings: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `climb --json` prints them."""
        return {
            "ladder": self.ladder.name,
            "data": self.data,
            "seeds": list(self.seeds),
            "protocol": self.protocol,
            "test_opened_before": self.earlier_openings,
            "rungs": [rung.to_dict() for rung in self.rungs],
            "report": str(self.folder / REPORT_NAME),
        }


@dataclass
class Climb:
    """A climb of one ladder on one data set.

    Args:
        ladder: Under the protocol already.
        dataset: What to train and measure on.
        seeds: Draws of the data; each rung is measured with all of them.
        root: The folder of all runs.
        device: Where to work.
        protocol: Written onto everything that the climb prints.
        command: What the user wrote, for the records; empty where it was no command line.
    """

    ladder: Ladder
    dataset: Dataset
    seeds: tuple[int, ...]
    root: Path
    device: torch.device
    protocol: Protocol = "sealed"
    command: str = ""

    @property
    def folder(self) -> Path:
        """Where records and pictures go: a folder for each ladder, data, protocol and recipes."""
        rungs = [[rung.base, dump_recipe(rung.recipe)] for rung in self.ladder.rungs]
        content = json.dumps([rungs, self.dataset.fingerprint], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:6]
        name = f"{self.ladder.name}-{slug(self.dataset.name)}-{self.protocol}-{key}"
        return self.root / "climbs" / name

    def jobs(self, rung: Rung, seed: int) -> list[Job]:
        """Return the trainings whose nets make up the rung's predictor for a seed."""
        return [
            make_job(recipe, self.dataset, Seed(seed, member), self.root, self.device)
            for member, recipe in enumerate(rung.recipe.member_recipes())
        ]

    def events(self) -> Generator[ClimbEvent | ClimbResult, None, None]:
        """Do the work, telling of each step; the last thing yielded is the result.

        Whoever stops iterating loses nothing: a second climb goes on from what is saved.

        Raises:
            RunError: A run is damaged, or a training diverges.
            StorageError: The disk is full or the place cannot be written.
        """
        for rung, seed in self._rungs_and_seeds():
            for job in self.jobs(rung, seed):
                yield from self._train(rung, job)
        validation: dict[str, list[Measured]] = {rung.name: [] for rung in self.ladder.rungs}
        test: dict[str, list[Measured]] = {rung.name: [] for rung in self.ladder.rungs}
        for rung, seed in self._rungs_and_seeds():
            yield ClimbEvent(rung.name, Seed(seed), "predicts the validation images")
            validation[rung.name] += self._measure(rung, seed, "validation")
        earlier = 0
        if self.dataset.test is not None:
            earlier = record_opening(self.root, self.dataset, f"climb {self.ladder.name}")
        for rung, seed in self._rungs_and_seeds():
            yield ClimbEvent(rung.name, Seed(seed), "predicts the test images")
            test[rung.name] += self._measure(rung, seed, "test")
        result = self._compare(validation, test, earlier)
        self._write(result)
        yield result

    def predictor(self, rung: Rung) -> Predictor:
        """Return the rung's predictor for the first seed, once its nets are trained."""
        return predictor_of(rung.recipe, self._runs(rung, self.seeds[0]), self.device)

    def _rungs_and_seeds(self) -> Iterator[tuple[Rung, int]]:
        return ((rung, seed) for rung in self.ladder.rungs for seed in self.seeds)

    def _train(self, rung: Rung, job: Job) -> Iterator[ClimbEvent]:
        """Train the job unless its run is there; wait where another process trains it."""
        while True:
            try:
                with job.alone():
                    yield from self._train_alone(rung, job)
                return
            except BusyError:
                yield ClimbEvent(rung.name, job.seed, "waits for another process that trains it")
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _train_alone(self, rung: Rung, job: Job) -> Iterator[ClimbEvent]:
        try:
            if job.finished():
                return
            yield from self._steps(rung, job)
        except DamagedError as error:
            told = f"{error.problem}; set aside as {job.set_aside()}, trained again"
            yield ClimbEvent(rung.name, job.seed, told)
            yield from self._steps(rung, job)

    def _steps(self, rung: Rung, job: Job) -> Iterator[ClimbEvent]:
        with contextlib.closing(job.train()) as training:
            for progress in training:
                yield ClimbEvent(rung.name, job.seed, "trains", progress)

    def _runs(self, rung: Rung, seed: int) -> tuple[Run, ...]:
        return tuple(run for job in self.jobs(rung, seed) if (run := job.finished()))

    def _measure(self, rung: Rung, seed: int, part: Part) -> list[Measured]:
        parts = self.jobs(rung, seed)[0].parts()
        images = parts.validation if part == "validation" else parts.test
        if images is None:
            return []
        runs = self._runs(rung, seed)
        probabilities = probabilities_of(rung.recipe, runs, images, part, self.root, self.device)
        right = (probabilities.argmax(1) == images.labels).numpy()
        answers = Answers(images.identities, right)
        path = prediction_path(rung.recipe, runs, images, self.root)
        return [Measured(evaluate(probabilities, images), answers, path, images.fingerprint)]

    def _compare(
        self,
        validation: dict[str, list[Measured]],
        test: dict[str, list[Measured]],
        earlier_openings: int,
    ) -> ClimbResult:
        results: dict[str, RungResult] = {}
        comparisons = sum(rung.base is not None for rung in self.ladder.rungs)
        for rung in self.ladder.rungs:
            runs = tuple(self._runs(rung, seed) for seed in self.seeds)
            plain = RungResult(rung, tuple(validation[rung.name]), tuple(test[rung.name]), runs)
            base = results[rung.base] if rung.base else None
            gain = compare(plain.answers, base.answers, comparisons) if base else None
            results[rung.name] = replace(plain, gain=gain)
        return ClimbResult(
            self.ladder,
            self.dataset.name,
            self.seeds,
            self.protocol,
            _judged(list(results.values())),
            self.folder,
            earlier_openings,
        )

    def _write(self, result: ClimbResult) -> None:
        lines = [
            json.dumps(_record(result, rung, index)) + "\n"
            for rung in result.rungs
            for index in range(len(result.seeds))
        ]
        write_text(result.folder / "results.jsonl", "".join(lines))
        write_text(result.folder / "climb.json", json.dumps(result.to_dict(), indent=1))
        circumstances = json.dumps(self._circumstances(), indent=1)
        write_text(result.folder / "circumstances.json", circumstances)

    def _circumstances(self) -> dict[str, Any]:
        """Return what the report tells beside the figures, and needs to draw them again."""
        data = self.dataset
        return {
            "title": self.ladder.title,
            "command": self.command,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "dataset": {
                "fingerprint": data.fingerprint,
                "per_class": data.per_class,
                "image_size": data.image_size,
                "shape": data.train.shape,
                "class_names": data.train.class_names,
                "train_images": len(data.train),
                "test_images": len(data.test) if data.test else 0,
            },
            "recipes": {rung.name: dump_recipe(rung.recipe) for rung in self.ladder.rungs},
        }


def _judged(results: Sequence[RungResult]) -> tuple[RungResult, ...]:
    """Return the results with their verdicts, which depend on how many rungs are compared."""
    compared = [result.rung.name for result in results if result.gain]
    given = dict(zip(compared, verdicts([r.gain for r in results if r.gain]), strict=True))
    return tuple(replace(result, verdict=given.get(result.rung.name)) for result in results)


def _record(result: ClimbResult, rung: RungResult, index: int) -> dict[str, Any]:
    """Return one line of `results.jsonl`: a rung measured with one seed."""
    runs = rung.runs[index]
    return {
        "ladder": result.ladder.name,
        "data": result.data,
        "protocol": result.protocol,
        "rung": rung.rung.name,
        "seed": result.seeds[index],
        "runs": [str(run.path) for run in runs],
        "validation": _measured(rung.validation, index),
        "test": _measured(rung.test, index),
        "seconds": sum(run.summary["seconds"] for run in runs),
        "flops": sum(run.summary["flops"] for run in runs),
    }


def _measured(measured: Sequence[Measured], index: int) -> dict[str, Any] | None:
    if not measured:
        return None
    one = measured[index]
    return {
        **one.evaluation.to_dict(),
        "predictions": str(one.predictions),
        "fingerprint": one.fingerprint,
    }
