"""A job: a run that may still have to be trained, and the training of it.

The key of a run covers what determines the weights: the training part of the recipe, the source of
what in it is not the package's own, the data's content and the engine's version. So what was
trained once is found again, whatever it is called.
"""

import contextlib
import csv
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import torch

import rungwise
from rungwise.data import Dataset, LabelledImages, Parts, draw
from rungwise.json_text import Amount, read_json
from rungwise.ladder.lock import holding
from rungwise.ladder.run import Run, begin_run, explaining_access, finish_run, open_run, slug
from rungwise.models.input import network_shape
from rungwise.prediction.collapse import collapse_of
from rungwise.prediction.metrics import Evaluation, evaluate
from rungwise.prediction.origin import Figures, Origin
from rungwise.prediction.predictor import Predictor
from rungwise.prediction.trained import trained_predictor
from rungwise.storage import explaining_storage, remove_left_behind, write_text
from rungwise.techniques import EpochRecord
from rungwise.training import checkpoint
from rungwise.training.course import Course, course_of
from rungwise.training.loop import ENGINE_VERSION, Progress, Training
from rungwise.training.operations import first_operations, training_operations
from rungwise.training.parsing import dump_training, training_parts
from rungwise.training.readiness import made_ready
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed
from rungwise.training.sources import own_sources

SECONDS_BETWEEN_SAVES = 5.0


class _Timed(TypedDict):
    """What is read of a summary to know how long a training takes."""

    seconds: Amount


@dataclass(frozen=True)
class Job:
    """A run that may still have to be trained.

    Args:
        recipe: With precision resolved, without ensemble.
        dataset: The data set.
        seed: Keys the draw of the data and all randomness of the training.
        root: The folder of all runs.
        device: Where to train.
    """

    recipe: Recipe
    dataset: Dataset
    seed: Seed
    root: Path
    device: torch.device

    @functools.cached_property
    def key(self) -> str:
        """Ten hexadecimal digits over all that determines the trained weights but the seed."""
        return training_key(self.recipe, self.dataset)

    @property
    def folder(self) -> Path:
        """The run's folder: one that holds the same training already, or a new one."""
        data = self.root / slug(self.dataset.name)
        with explaining_access(data):
            same = sorted(data.glob(f"*-{self.key}")) if data.is_dir() else []
        parent = same[0] if same else data / f"{self.recipe.name}-{self.key}"
        return parent / f"seed-{self.seed}"

    @property
    def images_seen(self) -> int:
        """About how many images the training steps on, copies and epochs counted."""
        return self._course.images_in(self.likely_epochs)

    @property
    def likely_steps(self) -> int:
        """About how many steps the training takes."""
        return self._course.steps_in(self.likely_epochs)

    @functools.cached_property
    def _course(self) -> Course:
        return course_of(self.recipe, self._counts[0])

    @property
    def validation_images(self) -> int:
        """How many images the training is validated with."""
        return self._counts[1]

    @functools.cached_property
    def _counts(self) -> tuple[int, int]:
        """Images to train on, copies counted, and to validate with; drawn once to be counted."""
        parts = self.parts()
        train = parts.train
        for augmentation in self.recipe.augment:
            train = augmentation.enlarge(train)
        return len(train), len(parts.validation or ())

    @property
    def likely_epochs(self) -> int:
        """About how many epochs the training takes."""
        epochs = self.recipe.epochs
        return min([epochs, *(t.likely_epochs(epochs) for t in self.recipe.techniques)])

    @functools.cached_property
    def flops(self) -> float:
        """About how many operations the training takes."""
        return float(self._operations(self._counts[0], self.likely_epochs))

    def _operations(self, images: int, epochs: int) -> int:
        train = self.dataset.train
        return training_operations(
            self.recipe, network_shape(train), train.classes, images=images, epochs=epochs
        )

    def recorded_seconds(self) -> float | None:
        """Return how long a finished training of the same key took, whatever its seed."""
        for path in sorted(self.folder.parent.glob("seed-*/summary.json")):
            with contextlib.suppress(OSError, ValueError):
                return read_json(_Timed, path)["seconds"]
        return None

    def probe(self, seconds: float) -> float:
        """Take training steps for so many seconds, keep nothing, and return how long all take."""
        parts = self.parts()
        training = Training(self.recipe, parts.train, parts.validation, self.seed, self.device)
        times = [time.perf_counter()]
        for _ in training.steps():
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # A step there is only queued.
            times.append(time.perf_counter())
            if len(times) > 2 and times[-1] - times[1] >= seconds:
                break
        # The first step sets up what the others find; it counts where there is no other.
        counted = times[1:] if len(times) > 2 else times
        each = (counted[-1] - counted[0]) / (len(counted) - 1)
        return each * self.likely_steps * self._growth()

    def _growth(self) -> float:
        """Return how many times the operations of its first image a training's mean image takes."""
        train = self.dataset.train
        first = first_operations(self.recipe, network_shape(train), train.classes)
        return self.flops / (first * self.images_seen)

    def finished(self) -> Run | None:
        """Return the run if it is finished.

        Raises:
            RunError: It is finished but damaged.
        """
        return open_run(self.folder) if self.is_finished() else None

    def is_finished(self) -> bool:
        """Whether the run is there, damaged or not."""
        folder = self.folder
        with explaining_access(folder):
            return (folder / "summary.json").exists()

    def is_started(self) -> bool:
        """Whether the run is unfinished and has a state to go on from."""
        return (self.folder / "last.safetensors").exists()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from training the same run within the block.

        What processes that were killed while writing have left in its folder is removed.

        Raises:
            BusyError: Another process is training it.
        """
        with holding(self.folder, self.root, self.key, self.seed):
            remove_left_behind(self.folder)
            yield

    def set_aside(self) -> Path:
        """Move a damaged run's folder out of the way, and return where it lies now."""
        folder = self.folder
        names = (folder.with_name(f"{folder.name}.damaged-{n}") for n in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        with explaining_storage(folder):
            folder.rename(aside)
        return aside

    def parts(self) -> Parts:
        """Return the images that the seed draws to train on, validate and test with."""
        return draw(self.dataset, self.recipe.validation, self.seed.draw)

    def train(self) -> Generator[Progress, None, None]:
        """Train from the start or from the saved state, yielding after each step.

        Whoever stops iterating loses nothing: the state is saved when the generator is closed.

        Raises:
            RunError: The saved state is damaged, or the training diverges.
            StorageError: The disk is full or the folder cannot be written.
        """
        folder, parts = self.folder, self.parts()
        training = Training(self.recipe, parts.train, parts.validation, self.seed, self.device)
        state = folder / "last.safetensors"
        if state.exists():
            checkpoint.restore(training, state)
        saved, started = time.monotonic(), False
        try:
            for progress in training.steps():
                if not started:  # a recipe whose first step fails leaves no folder behind
                    begin_run(folder, self.recipe, self.device)
                    started = True
                if progress.record:
                    write_text(folder / "metrics.csv", metrics_text(training.history))
                    if time.monotonic() - saved > SECONDS_BETWEEN_SAVES and not training.finished:
                        checkpoint.save(training, state)
                        saved = time.monotonic()
                yield progress
        except GeneratorExit:
            checkpoint.save(training, state)
            raise
        self._finish(training, folder, parts)

    def _finish(self, training: Training, folder: Path, parts: Parts) -> None:
        resizes = self.dataset.image_size is not None
        predictor = trained_predictor(training, parts, resizes=resizes)
        write_text(folder / "metrics.csv", metrics_text(training.history))
        summary = self._summary(training) | {"images": _image_counts(parts)}
        origin = self._origin(parts, len(training.history))
        predictor = replace(predictor, origins=(origin,) * len(predictor.nets))
        measured = None
        if parts.validation is not None:
            # The history is of the last net as it is; the run's figures are its predictor's.
            alone = len(predictor.nets) == 1 and self.recipe.predicts_like(self.recipe.single())
            loss = summary["val_loss"] if alone else None
            predictor, measured = measured_on(parts.validation, predictor, loss)
            summary |= held_out_figures(measured)
        summary["collapse"] = collapse_of(
            training.kept_record(), measured, parts, training.steps_taken
        )
        finish_run(folder, predictor, summary)
        (folder / "last.safetensors").unlink(missing_ok=True)

    def _origin(self, parts: Parts, epochs: int) -> Origin:
        return Origin(
            data=self.dataset.name,
            fingerprint=self.dataset.fingerprint,
            images=_image_counts(parts),
            images_of_class=tuple(parts.train.class_counts()),
            recipe=self.recipe.name,
            seed=str(self.seed),
            epochs=epochs,
            validation=self.recipe.validation,
            rungwise=rungwise.__version__,
            test_share=self.dataset.test_share,
        )

    def _summary(self, training: Training) -> dict[str, Any]:
        kept = training.kept_record()
        return {
            "data": self.dataset.name,
            "image_size": self.dataset.image_size,
            "bad_files": self.dataset.bad_files,
            "test_share": self.dataset.test_share,
            "fingerprint": self.dataset.fingerprint,
            "key": self.key,
            "recipe": self.recipe.name,
            "seed": str(self.seed),
            "validation": self.recipe.validation,
            "val_accuracy": kept.val_acc,
            "val_balanced_accuracy": None,
            "val_loss": kept.val_loss,
            "train_accuracy": kept.train_acc,
            "kept_epoch": kept.epoch,
            "keep": self.recipe.keep,
            "epochs": len(training.history),
            "seconds": sum(record.seconds for record in training.history),
            "flops": self._operations(len(training.supply.images), len(training.history)),
        }


def _image_counts(parts: Parts) -> dict[str, int]:
    return {part: len(images) for part, images in parts.by_name.items()}


def measured_on(
    images: LabelledImages, predictor: Predictor, objective: float | None = None
) -> tuple[Predictor, Evaluation]:
    """Return a predictor with its figures on images that were held out, and all that was measured.

    Args:
        images: The images.
        predictor: What is measured.
        objective: The training's whole loss on them, where that stands instead of cross-entropy.
    """
    found = evaluate(predictor.probabilities_of(images), images)
    if objective is not None:
        found = replace(found, loss=objective)
    figures = Figures(
        part="validation", images=len(images), accuracy=found.accuracy, loss=found.loss
    )
    return predictor.measured(figures), found


def held_out_figures(measured: Evaluation) -> dict[str, float]:
    """Return what a run's summary says of the images that were held out."""
    return {
        "val_accuracy": measured.accuracy,
        "val_balanced_accuracy": measured.balanced_accuracy,
        "val_loss": measured.loss,
    }


def make_job(recipe: Recipe, dataset: Dataset, seed: Seed, root: Path, device: torch.device) -> Job:
    """Return the job of training one net of `recipe`, its precision resolved for the device."""
    return Job(made_ready(recipe, dataset.train, device), dataset, seed, root, device)


def make_jobs(
    recipe: Recipe, dataset: Dataset, seed: Seed, root: Path, device: torch.device
) -> list[Job]:
    """Return the jobs whose nets make up the recipe's predictor: one, or one for each member.

    Args:
        recipe: Of one net or an ensemble.
        dataset: The data set.
        seed: Of the first net; the others are the next members of its draw.
        root: The folder of all runs.
        device: Where to train.
    """
    return [
        make_job(single, dataset, Seed(seed.draw, member), root, device)
        for member, single in enumerate(recipe.member_recipes(), seed.member)
    ]


def training_key(recipe: Recipe, dataset: Dataset) -> str:
    """Return ten hexadecimal digits over all that determines the trained weights but the seed."""
    settings = canonical(dump_training(recipe))
    sources = own_sources(training_parts(recipe))
    content = [settings, dataset.fingerprint, ENGINE_VERSION, *([sources] if sources else [])]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def canonical(value: Any) -> Any:
    """Write 1.0 as 1, so that equal settings have one key however they were written."""
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def metrics_text(history: list[EpochRecord]) -> str:
    """Return the history as CSV; accuracies in 0..1, nothing where there was no validation."""
    text = io.StringIO()
    names = [item.name for item in dataclasses.fields(EpochRecord)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(record) for record in history)
    return text.getvalue()
