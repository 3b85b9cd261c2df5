"""The stored runs: what lies on disk, in which state it is, and its removal.

    runs/<data>/<recipe>-<key>/seed-<n>                a run
    runs/<data>/<recipe>-<key>/seed-<n>.damaged-<k>    one that was found damaged and set aside

A folder is a run's if its path is of this form and it holds one of a run's files. Links are not
followed: what lies elsewhere is neither listed nor removed.
"""

import contextlib
import csv
import functools
import math
import os
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rungwise.errors import RunError, RungwiseError
from rungwise.ladder.lock import holding
from rungwise.ladder.run import (
    CHECKED_FILES,
    RECIPE_FOLDER,
    SEED_FOLDER,
    Run,
    explaining_access,
    open_run,
    read_summary,
    slug,
)
from rungwise.storage import explaining_storage
from rungwise.training.seed import Seed

Status = Literal["finished", "unfinished", "damaged", "aside"]
"""`damaged`: finished, but its files cannot be read or are not as they were written."""

RUN_FILES = (*CHECKED_FILES, "last.safetensors", "summary.json")


@dataclass(frozen=True)
class State:
    """What was found in a run's folder.

    Args:
        status: Whether the run can be used.
        size: Bytes of all its files.
        changed: When the last of the run's own files was written.
        problem: What is wrong with a damaged run.
        val_accuracy: Of a finished run that held images out, in 0..1.
        epochs: Of a finished run, or those that an unfinished one has behind it.
        seconds: Of training in these epochs.
    """

    status: Status
    size: int
    changed: datetime
    problem: str | None = None
    val_accuracy: float | None = None
    epochs: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class StoredRun:
    """A run's folder; the names are those in its path, or of a copied run those in its summary.

    Args:
        path: The folder.
        data: Name of the data set.
        recipe: Name under which the recipe was first trained.
        key: Ten hexadecimal digits over what determines the weights but the seed.
        seed: The seed.
    """

    path: Path
    data: str
    recipe: str
    key: str
    seed: Seed

    @property
    def is_aside(self) -> bool:
        """Whether the run was set aside since it was damaged."""
        return ".damaged-" in self.path.name

    @functools.cached_property
    def state(self) -> State:
        """What the folder holds, found when first asked for: that reads the run's files."""
        size, changed = _size(self.path), _changed(self.path)
        if self.is_aside:
            return State("aside", size, changed)
        try:
            with explaining_access(self.path):
                done = (self.path / "summary.json").is_file()
            if not done:
                return State("unfinished", size, changed, **_progress(self.path))
            return State("finished", size, changed, **_figures(open_run(self.path)))
        except RunError as error:
            return State("damaged", size, changed, error.problem)


def stored_runs(root: Path) -> list[StoredRun]:
    """Return all runs below `root`, sorted by data, recipe and seed.

    Args:
        root: The folder of all runs.

    Raises:
        RunError: There is no such folder, or a folder in it cannot be read.
    """
    with explaining_access(root):
        there, is_folder = root.exists(), root.is_dir()
    if not is_folder:
        raise RunError(
            f"{root} {'is no folder' if there else 'does not exist'}",
            expected="the folder of all runs, such as `rungwise train` makes",
            fix="give it with --out, or train something first",
        )
    paths = (
        path
        for data in _folders(root)
        if slug(data.name) == data.name
        for recipe in _folders(data)
        if RECIPE_FOLDER.fullmatch(recipe.name)
        for path in _folders(recipe)
    )
    found = [run for path in paths if (run := _run_at(path))]
    return sorted(found, key=lambda run: (run.data, run.recipe, run.key, run.seed, run.path.name))


def copied_runs(root: Path) -> list[StoredRun]:
    """Return the finished runs in `root` itself and in its folders, named as in their summaries.

    So runs are found that were copied to another place, such as `/model`. Those at the places
    that `stored_runs` looks at lie deeper.
    """
    return [run for path in (root, *_folders(root)) if (run := _copied_run_at(path))]


def _copied_run_at(path: Path) -> StoredRun | None:
    try:
        with explaining_access(path):
            summary = read_summary(path)
        return StoredRun(
            path,
            data=slug(str(summary["data"])),
            recipe=str(summary["recipe"]),
            key=str(summary.get("key")),
            seed=Seed.parse(str(summary["seed"])),
        )
    except RungwiseError:
        return None


def stored_run(path: Path) -> StoredRun:
    """Return the run that lies in a folder.

    Raises:
        RunError: The folder is not a run's, or is reached through a link below the folder of all
            runs.
    """
    whole = path.absolute()
    with explaining_access(path):
        run, there = _run_at(whole), whole.exists()
    if run is None:
        raise RunError(
            f"{path} {'is no run' if there else 'does not exist'}",
            expected="a folder such as runs/digits/compact-0123456789/seed-0",
            fix="`rungwise runs list` shows them",
        )
    if whole.resolve() != whole.parents[2].resolve().joinpath(*whole.parts[-3:]):
        raise RunError(
            f"{path} leads through a link to {whole.resolve()}",
            expected="a run's own path",
            fix="give the path that the link leads to, if it is that run you mean",
        )
    return replace(run, path=path)


def remove(run: StoredRun) -> None:
    """Remove a run's folder, and the folders above it that are empty then.

    Predictions and the records of climbs stay: reports are drawn from them.

    Raises:
        BusyError: Another process is training it.
        RunError: It is gone, or has changed since its state was looked at.
        StorageError: It cannot be removed.
    """
    path = run.path.absolute()
    with (
        contextlib.nullcontext()
        if run.is_aside
        else holding(run.path, run.path.absolute().parents[2], run.key, run.seed)
    ):
        if not path.is_dir() or _changed(path) != run.state.changed:
            raise RunError(
                f"{run.path} has changed since it was looked at",
                expected="a run that nobody else works on",
                fix="look at it with `rungwise runs list`, then decide again",
            )
        with explaining_storage(path):
            shutil.rmtree(path)
    for folder in path.parents[:2]:
        with contextlib.suppress(OSError):  # it holds other runs, or predictions
            folder.rmdir()


def _folders(folder: Path) -> list[Path]:
    with explaining_access(folder), os.scandir(folder) as entries:
        return [folder / one.name for one in entries if one.is_dir(follow_symlinks=False)]


def _run_at(path: Path) -> StoredRun | None:
    """Return the run in a folder if its path and its files are a run's."""
    data, recipe, seed = ("", "", *path.parts)[-3:]
    recipe_match, seed_match = RECIPE_FOLDER.fullmatch(recipe), SEED_FOLDER.fullmatch(seed)
    if slug(data) != data or not recipe_match or not seed_match or not _holds_a_run(path):
        return None
    return StoredRun(path, data, **recipe_match.groupdict(), seed=Seed.parse(seed_match["seed"]))


def _holds_a_run(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in RUN_FILES)
    except PermissionError:
        return folder.is_dir()  # by its name it is one; that it cannot be read, its state tells


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a training may just have replaced it
                total += Path(place, name).lstat().st_size
    return total


def _changed(folder: Path) -> datetime:
    times = [folder.lstat().st_mtime]
    for name in RUN_FILES:
        with contextlib.suppress(OSError):
            times.append((folder / name).lstat().st_mtime)
    return datetime.fromtimestamp(max(times[1:] or times), UTC)


def _progress(folder: Path) -> dict[str, Any]:
    """Return epochs and seconds of an unfinished run, if its metrics tell them."""
    try:
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        figures = {
            "epochs": int(rows[-1]["epoch"]),
            "seconds": sum(float(row["seconds"]) for row in rows),
        }
        return figures if all(map(math.isfinite, figures.values())) else {}
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, csv.Error):
        return {}


def _figures(run: Run) -> dict[str, Any]:
    """Return validation accuracy, epochs and seconds of a finished run."""
    return {name: run.summary[name] for name in ("val_accuracy", "epochs", "seconds")}
