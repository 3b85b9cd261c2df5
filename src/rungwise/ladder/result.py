"""What a climb found: figures of each rung over its seeds, and of the final net."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rungwise.errors import UnknownNameError
from rungwise.ladder.comparison import Answers, Gain, Verdict
from rungwise.ladder.run import Run
from rungwise.ladder.rung import Ladder, Protocol, Rung
from rungwise.ladder.statistics import Spread
from rungwise.prediction.metrics import Evaluation
from rungwise.training.recipe import Recipe

REPORT_NAME = "report.html"
"""The page that a climb's folder ends with; `rungwise.report` writes it."""


class Measured(NamedTuple):
    """What one predictor did on one set of images."""

    evaluation: Evaluation
    answers: Answers
    predictions: Path
    fingerprint: str


UNEQUAL = 1.5
"""Images of the largest class, in those of the smallest, from which on balanced accuracy has a
column and rare classes are shown more often."""


@dataclass(frozen=True)
class RungResult:
    """One rung's figures over its seeds.

    Args:
        rung: The rung.
        seeds: Those that it was measured with: 0, 1, ...
        validation: What was measured with each seed; empty where nothing was held out.
        test: What was measured with each seed; empty where the test set stayed sealed or there is
            none.
        runs: For each seed, the runs of its nets.
        gain: The gain over the base, on the images that choices are made on.
        paired: The seeds that it is counted over: those that the base was measured with, too.
        verdict: What the gain says, corrected for the number of rungs.
    """

    rung: Rung
    seeds: tuple[int, ...]
    validation: tuple[Measured, ...]
    test: tuple[Measured, ...]
    runs: tuple[tuple[Run, ...], ...]
    gain: Gain | None = None
    paired: tuple[int, ...] = ()
    verdict: Verdict | None = None

    @property
    def answers(self) -> list[Answers]:
        """The answers that choices are made on: on validation images where there are any."""
        return [measured.answers for measured in self.chosen_on]

    @property
    def chosen_on(self) -> tuple[Measured, ...]:
        """What was measured on the images that choices are made on."""
        return self.validation or self.test

    @property
    def seconds(self) -> float:
        """Mean training time of one seed, all its nets together."""
        return mean_over_seeds(self.runs, "seconds")

    @property
    def flops(self) -> float:
        """Mean training operations of one seed, all its nets together."""
        return mean_over_seeds(self.runs, "flops")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `climb --json` prints them."""
        return {
            "name": self.rung.name,
            "change": self.rung.change,
            "base": self.rung.base,
            "control": self.rung.control,
            "left_out": self.rung.left_out,
            "seeds": list(self.seeds),
            "val_accuracy": _accuracies(self.validation),
            "test_accuracy": _accuracies(self.test),
            "val_balanced_accuracy": _balanced(self.validation),
            "test_balanced_accuracy": _balanced(self.test),
            "reference": self.rung.reference,
            "gain": self.gain.mean if self.gain else None,
            "interval": list(self.gain.interval) if self.gain and self.gain.interval else None,
            "verdict": self.verdict,
            "gain_details": (
                {"seeds": list(self.paired), **self.gain.to_dict()} if self.gain else None
            ),
            "seconds": self.seconds,
            "flops": self.flops,
        }

    def lines(self) -> list[dict[str, Any]]:
        """Return what `results.jsonl` says of the rung, an object for each seed."""
        return [
            {
                "rung": self.rung.name,
                "seed": seed,
                "runs": [str(run.path) for run in runs],
                "validation": _measured(self.validation, index),
                "test": _measured(self.test, index),
                "seconds": sum(run.summary["seconds"] for run in runs),
                "flops": sum(run.summary["flops"] for run in runs),
            }
            for index, (seed, runs) in enumerate(zip(self.seeds, self.runs, strict=True))
        ]


def mean_over_seeds(runs_of_seeds: Sequence[Sequence[Run]], figure: str) -> float:
    """Return the mean over the seeds of a figure's sum over all nets of a seed."""
    total = sum(float(run.summary[figure]) for runs in runs_of_seeds for run in runs)
    return total / len(runs_of_seeds)


def _balanced(measured: Sequence[Measured]) -> dict[str, Any] | None:
    return balanced_accuracies(measured).to_dict() if measured else None


def _accuracies(measured: Sequence[Measured]) -> dict[str, Any] | None:
    return accuracies(measured).to_dict() if measured else None


def accuracies(measured: Sequence[Measured]) -> Spread:
    """Return the accuracies over the seeds."""
    return Spread(tuple(one.evaluation.accuracy for one in measured))


def balanced_accuracies(measured: Sequence[Measured]) -> Spread:
    """Return the balanced accuracies over the seeds."""
    return Spread(tuple(one.evaluation.balanced_accuracy for one in measured))


def _measured(measured: Sequence[Measured], index: int) -> dict[str, Any] | None:
    if not measured:
        return None
    one = measured[index]
    return {
        **one.evaluation.to_dict(),
        "predictions": str(one.predictions),
        "fingerprint": one.fingerprint,
    }


@dataclass(frozen=True)
class Final:
    """The net to use: the best rung's recipe, fitted once more, maybe with several seeds.

    Args:
        recipe: That of the rung that was best on the images that choices are made on, named as
            the rung is.
        runs: For each seed, those of its nets.
        model: The first seed's predictor, a file.
        train_images: Number of images it was fitted to.
        test: What each seed's does on the test images; empty where there are none.
    """

    recipe: Recipe
    runs: tuple[tuple[Run, ...], ...]
    model: Path
    train_images: int
    test: tuple[Measured, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; seconds and operations are means over the seeds."""
        return {
            "rung": self.recipe.name,
            "model": str(self.model),
            "train_images": self.train_images,
            "test_accuracy": _accuracies(self.test),
            "seconds": mean_over_seeds(self.runs, "seconds"),
            "flops": mean_over_seeds(self.runs, "flops"),
        }


@dataclass(frozen=True, repr=False)
class ClimbResult:
    """What a climb found, with where it lies. Shown as a table, in a notebook too.

    Args:
        ladder: The rungs that were measured.
        data: The data set's name.
        seeds: The most that any rung was measured with.
        protocol: How choices were made.
        rungs: In the ladder's order.
        folder: Of the records.
        earlier_openings: How often the test set had been opened by other work before.
        left_out: Sentences on what was not measured, and why.
        final: The net to use, if one was fitted.
        budget: The time that was allowed, in seconds; None for as much as it takes.
    """

    ladder: Ladder
    data: str
    seeds: tuple[int, ...]
    protocol: Protocol
    rungs: tuple[RungResult, ...]
    folder: Path
    earlier_openings: int
    left_out: tuple[str, ...] = ()
    final: Final | None = None
    budget: float | None = None

    @property
    def report(self) -> Path:
        """The page that shows it all."""
        return self.folder / REPORT_NAME

    @property
    def collapsed(self) -> tuple[str, ...]:
        """The trainings that collapsed, and how; each run is named once."""
        named = [(rung.rung.name, rung.runs) for rung in self.rungs]
        if self.final:
            named.append((f"final {self.final.recipe.name}", self.final.runs))
        told: dict[Path, str] = {}
        for name, runs_of_seeds in named:
            for run in itertools.chain(*runs_of_seeds):
                if run.collapse:
                    seed = run.summary["seed"]
                    told.setdefault(run.path, f"{name} with seed {seed}: {run.collapse}")
        return tuple(told.values())

    @property
    def unequal_classes(self) -> bool:
        """Whether accuracy and balanced accuracy are two things in these data."""
        classes = [one.evaluation.per_class for rung in self.rungs for one in rung.chosen_on]
        counts = [[figures.images for figures in per_class] for per_class in classes]
        return any(max(images) >= UNEQUAL * max(1, min(images)) for images in counts)

    def rung(self, name: str) -> RungResult:
        """Return the figures of the rung of that name.

        Raises:
            UnknownNameError: No such rung was measured.
        """
        for result in self.rungs:
            if result.rung.name == name:
                return result
        raise UnknownNameError("rung", name, [result.rung.name for result in self.rungs])

    def __repr__(self) -> str:
        from rungwise.ladder.table import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from rungwise.ladder.table import to_html

        return to_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `climb --json` prints them."""
        return {
            "ladder": self.ladder.name,
            "reading": self.ladder.reading,
            "data": self.data,
            "seeds": list(self.seeds),
            "protocol": self.protocol,
            "budget": self.budget,
            "test_opened_before": self.earlier_openings,
            "unequal_classes": self.unequal_classes,
            "collapsed": list(self.collapsed),
            "rungs": [rung.to_dict() for rung in self.rungs],
            "left_out": list(self.left_out),
            "final": self.final.to_dict() if self.final else None,
            "report": str(self.report),
        }
