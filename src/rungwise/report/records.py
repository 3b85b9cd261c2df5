"""The records of a climb, read back from its folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from rungwise.errors import RunError
from rungwise.ladder.run import Run, explaining_access, open_run
from rungwise.training.checkpoint import read_tensors
from rungwise.training.parsing import parse_recipe
from rungwise.training.recipe import Recipe

Part = Literal["validation", "test"]

FILES = ("climb.json", "circumstances.json", "results.jsonl")
NEEDED_OF_CLIMB = {"ladder", "data", "seeds", "protocol", "test_opened_before", "rungs"}
NEEDED_OF_RUNG = {
    *("name", "change", "base", "control", "val_accuracy", "test_accuracy", "reference", "gain"),
    *("interval", "verdict", "gain_details", "seconds", "flops"),
}
NEEDED_OF_CIRCUMSTANCES = {"title", "command", "time", "dataset", "recipes"}
NEEDED_OF_LINE = {"rung", "seed", "runs", "validation", "test"}


@dataclass(frozen=True)
class Records:
    """What a climb wrote down.

    Args:
        folder: The climb's folder.
        climb: `climb.json`.
        circumstances: `circumstances.json`.
        lines: `results.jsonl`, an object for each rung and seed.
    """

    folder: Path
    climb: dict[str, Any]
    circumstances: dict[str, Any]
    lines: tuple[dict[str, Any], ...]

    @property
    def rungs(self) -> list[dict[str, Any]]:
        """The rungs in the ladder's order, as `climb --json` prints them."""
        return list(self.climb["rungs"])

    @property
    def seeds(self) -> list[int]:
        """The seeds, each with its own draw of the data."""
        return list(self.climb["seeds"])

    @property
    def dataset(self) -> dict[str, Any]:
        """What was written down of the data set."""
        return dict(self.circumstances["dataset"])

    @property
    def class_names(self) -> tuple[str, ...]:
        """The K classes."""
        return tuple(self.dataset["class_names"])

    @property
    def top(self) -> str:
        """Name of the highest rung that is no control."""
        names = [rung["name"] for rung in self.rungs if not rung["control"]]
        return str(names[-1] if names else self.rungs[-1]["name"])

    @property
    def chosen_on(self) -> Part:
        """The images that gains are measured on."""
        held_out = self.rungs[0]["val_accuracy"] is not None and not self.chosen_on_test
        return "validation" if held_out else "test"

    @property
    def measured_on(self) -> Part:
        """The images that the final figures come from."""
        return "test" if self.rungs[0]["test_accuracy"] is not None else "validation"

    @property
    def chosen_on_test(self) -> bool:
        """Whether any rung was chosen by the test set, as some articles do."""
        recipes = self.circumstances["recipes"].values()
        return any(recipe["validation"] == "test" for recipe in recipes)

    def rung(self, name: str) -> dict[str, Any]:
        """Return the rung of that name."""
        return next(rung for rung in self.rungs if rung["name"] == name)

    def recipe(self, name: str) -> Recipe:
        """Return the resolved recipe of a rung, views and ensemble included."""
        return parse_recipe(self.circumstances["recipes"][name], f"recipe of {name}")

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return a rung's lines, one for each seed."""
        return [line for line in self.lines if line["rung"] == name]

    def run_folders(self, line: dict[str, Any]) -> list[Path]:
        """Return where the runs of a line lie now."""
        return [self._here(path) for path in line["runs"]]

    def runs(self, name: str) -> list[Run]:
        """Open the runs of a rung's first seed.

        Raises:
            RunError: One is missing or damaged.
        """
        return [open_run(folder) for folder in self.run_folders(self.of(name)[0])]

    def probabilities(self, line: dict[str, Any], part: Part) -> torch.Tensor:
        """Read the stored class probabilities (N, K) of a line.

        Raises:
            RunError: They are missing or damaged.
        """
        path = self._here(line[part]["predictions"])
        try:
            return read_tensors(path)[0]["probabilities"]
        except KeyError:
            raise RunError(f"{path} holds no predictions") from None

    def _here(self, path: str) -> Path:
        """Find a path of the records below this climb's own root, wherever that was moved to."""
        return self.folder.resolve().parent.parent.joinpath(*Path(path).parts[-3:])


def read_records(folder: Path) -> Records:
    """Read a climb's folder.

    Raises:
        RunError: It is no climb's folder, or its records are damaged.
    """
    with explaining_access(folder):
        missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise RunError(
            f"{folder} is no finished climb: it lacks {', '.join(missing)}",
            expected="the folder of a finished climb, with " + ", ".join(FILES),
            fix="give a folder such as runs/climbs/digits-digits-sealed-0123ab; or give the "
            "climb's command again: what is trained is found, and its records are written anew",
        )
    try:
        with explaining_access(folder):
            texts = [(folder / name).read_text(encoding="utf-8") for name in FILES]
        climb, circumstances = json.loads(texts[0]), json.loads(texts[1])
        lines = tuple(json.loads(line) for line in texts[2].splitlines())
        whole = _whole(climb, circumstances, lines)
    except (ValueError, AttributeError, TypeError, KeyError):
        whole = False
    if not whole:
        raise RunError(
            f"the records in {folder} are damaged or were written by another version",
            expected=f"{', '.join(FILES)} as `rungwise climb` writes them",
            fix="give the climb's command again: what is trained is found, and its records are "
            "written anew",
        )
    return Records(folder, climb, circumstances, lines)


def _whole(climb: Any, circumstances: Any, lines: Sequence[Any]) -> bool:
    names = [rung["name"] for rung in climb["rungs"]]
    measured = {(line["rung"], line["seed"]) for line in lines}
    return (
        bool(names and climb["seeds"])
        and climb.keys() >= NEEDED_OF_CLIMB
        and circumstances.keys() >= NEEDED_OF_CIRCUMSTANCES
        and circumstances["recipes"].keys() >= set(names)
        and all(rung.keys() >= NEEDED_OF_RUNG for rung in climb["rungs"])
        and all(line.keys() >= NEEDED_OF_LINE for line in lines)
        and measured == {(name, seed) for name in names for seed in climb["seeds"]}
    )
