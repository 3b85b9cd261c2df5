"""A finished run: a recipe trained on a data set with a seed, in a folder of its own.

runs/<data>/<recipe>-<hash>/seed-<n>/
    recipe.yaml         the fully resolved recipe, with what it says of prediction
    environment.json    machine, libraries, device
    metrics.csv         one line for each epoch
    last.safetensors    the state to go on from, while the run is unfinished
    model.safetensors   the predictor, when the run is finished
    summary.json        figures, and the checksums of the other files; its presence means done
"""

import contextlib
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import torch

from rungwise.errors import RunError, UsageError
from rungwise.json_text import Amount, Count, Share, read_json
from rungwise.ladder.environment import describe_environment
from rungwise.prediction.predictor import Predictor
from rungwise.storage import sha256, write_text
from rungwise.training import checkpoint
from rungwise.training.parsing import load_recipe, recipe_text
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

RECIPE_FOLDER = re.compile(r"(?P<recipe>[\w.-]+)-(?P<key>[0-9a-f]{10})")
SEED_FOLDER = re.compile(r"seed-(?P<seed>(0|[1-9][0-9]*)(\.[1-9][0-9]*)?)(\.damaged-[0-9]+)?")
CHECKED_FILES = ("recipe.yaml", "environment.json", "metrics.csv", "model.safetensors")


class Summary(TypedDict):
    """What others read from `summary.json`; what it lacks, versions before did not write."""

    data: str
    image_size: list[Count] | None
    fingerprint: str
    key: NotRequired[str]
    recipe: str
    seed: str
    validation: Share | Literal["test"]
    val_accuracy: Share | None
    val_balanced_accuracy: NotRequired[Share | None]
    val_loss: NotRequired[float | None]
    train_accuracy: NotRequired[Share | None]
    collapse: NotRequired[str | None]
    images: NotRequired[dict[str, Count]]
    test_share: NotRequired[Share | None]
    nets: NotRequired[list[dict[str, str]]]
    epochs: Count
    seconds: Amount
    flops: Amount
    files: dict[str, str]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        path: Its folder.
        summary: The content of `summary.json`.
    """

    path: Path
    summary: dict[str, Any]

    @property
    def root(self) -> Path | None:
        """The folder of all runs, by the run's place in it; None for a run that lies elsewhere.

        A run that was copied to a place such as `/model` has no ledger and no stored predictions
        beside it, and its neighbours have nothing to do with it.
        """
        place = self.path.resolve()
        data, recipe, seed = ("", "", *place.parts)[-3:]
        stored = (
            data == slug(str(self.summary["data"]))
            and RECIPE_FOLDER.fullmatch(recipe)
            and SEED_FOLDER.fullmatch(seed)
        )
        return place.parents[2] if stored and len(place.parts) > 4 else None

    @property
    def collapse(self) -> str | None:
        """How the training collapsed, in a sentence; None where it did not, or nothing says so."""
        collapse = self.summary.get("collapse")  # Summaries of earlier versions have none.
        return collapse if isinstance(collapse, str) else None

    def recipe(self) -> Recipe:
        """Read the fully resolved recipe."""
        return load_recipe(self.path / "recipe.yaml")

    def predictor(self, device: torch.device | None = None) -> Predictor:
        """Read the trained predictor, which predicts as the run's recipe says."""
        return Predictor.load(self.path / "model.safetensors", device)

    def nets(self) -> list[str]:
        """Return the checksums of the files of the nets: its own, or those it is assembled of."""
        own = self.summary["files"]
        return [net["model.safetensors"] for net in self.summary.get("nets", [own])]

    def history(self) -> list[dict[str, float | None]]:
        """Read `metrics.csv`: a row for each epoch; None where there was no validation.

        Raises:
            DamagedError: A value is no number.
        """
        path = self.path / "metrics.csv"
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return [
                    {key: float(value) if value else None for key, value in row.items()}
                    for row in csv.DictReader(file)
                ]
        except (ValueError, TypeError, csv.Error):
            raise checkpoint.damaged(path, "it is no table of numbers") from None


def open_run(folder: Path) -> Run:
    """Open a finished run and check that its files are as they were written.

    Raises:
        RunError: The folder is no finished run, cannot be read, lacks a file or was altered.
    """
    with explaining_access(folder):
        summary = read_summary(folder)
        for name in CHECKED_FILES:
            if not (folder / name).is_file():
                raise checkpoint.damaged(folder / name, "the file is missing")
            if sha256(folder / name) != summary["files"].get(name):
                raise checkpoint.damaged(folder / name, "it was altered after the training")
    return Run(folder, summary)


def begin_run(folder: Path, recipe: Recipe, device: torch.device) -> None:
    """Write what is known of a run before it is finished.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    write_text(folder / "recipe.yaml", recipe_text(recipe))
    environment = describe_environment(device)
    write_text(folder / "environment.json", json.dumps(environment, indent=1))


def finish_run(folder: Path, predictor: Predictor, summary: dict[str, Any]) -> None:
    """Write the predictor and the summary, with the checksums of all files.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    predictor.save(folder / "model.safetensors")
    files = {name: sha256(folder / name) for name in CHECKED_FILES}
    write_text(folder / "summary.json", json.dumps({**summary, "files": files}, indent=1))


@contextlib.contextmanager
def explaining_access(path: Path) -> Iterator[None]:
    """Turn the system's errors of looking at a run into ours."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a folder that you may read",
            fix="check the path and its permissions, or choose another place with --out",
        ) from error


def read_summary(folder: Path) -> dict[str, Any]:
    """Read `summary.json`; the files that it names are not looked at.

    Raises:
        RunError: The folder is no finished run, or its summary is damaged.
    """
    summary_path = folder / "summary.json"
    if not summary_path.is_file() and not folder.exists():
        raise RunError(
            f"{folder} does not exist",
            expected="the folder of a finished run, or a predictor's .safetensors file where a "
            "predictor will do",
            fix="check the path; `rungwise runs list` shows the runs",
        )
    if not summary_path.is_file():
        unfinished = (folder / "recipe.yaml").is_file()
        raise RunError(
            f"{folder} is {'an unfinished' if unfinished else 'no'} run",
            expected="the folder of a finished run, with summary.json and model.safetensors",
            fix="finish it with `rungwise train ... --resume`"
            if unfinished
            else "give a folder such as runs/digits/compact-0123456789/seed-0",
        )
    try:
        summary = read_json(Summary, summary_path)
        Seed.parse(summary["seed"])
    except (ValueError, UsageError) as error:
        why = error.problem if isinstance(error, UsageError) else error
        raise checkpoint.damaged(summary_path, f"it is not a run's summary: {why}") from None
    return dict(summary)


def slug(name: str) -> str:
    """Return a data set's name as a folder's name: the last part of a path, plain characters."""
    plain = "".join(c if c.isalnum() or c in "@._-" else "-" for c in Path(name).name)
    return plain.strip(".") or "data"
