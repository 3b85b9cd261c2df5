"""The records of a climb, read back from its folder."""

import json
import math
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
NEEDED_OF_CLIMB = {
    *("ladder", "reading", "data", "seeds", "protocol", "budget", "test_opened_before", "rungs"),
    *("left_out", "final"),
}
NEEDED_OF_RUNG = {
    *("name", "change", "base", "control", "left_out", "seeds", "val_accuracy", "test_accuracy"),
    *("reference", "gain", "interval", "verdict", "gain_details", "seconds", "flops"),
}
NEEDED_OF_FINAL = {"rung", "model", "train_images", "test_accuracy"}
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
        """All seeds of the climb, each with its own draw of the data."""
        return list(self.climb["seeds"])

    @property
    def seeds_differ(self) -> bool:
        """Whether some rungs were measured with fewer seeds than others."""
        return any(rung["seeds"] != self.seeds for rung in self.rungs)

    @property
    def unequal_classes(self) -> bool:
        """Whether balanced accuracy is worth showing; records of earlier versions do not say."""
        return bool(self.climb.get("unequal_classes"))

    @property
    def dataset(self) -> dict[str, Any]:
        """What was written down of the data set."""
        return dict(self.circumstances["dataset"])

    def network_shape(self, rung: str) -> tuple[int, int, int]:
        """Return (C, H, W) of the images that a rung's nets take."""
        channels, *size = self.dataset.get("network_shape", self.dataset["shape"])
        height, width = self.circumstances.get("image_sizes", {}).get(rung, size)
        return channels, height, width

    @property
    def class_names(self) -> tuple[str, ...]:
        """The K classes."""
        return tuple(self.dataset["class_names"])

    @property
    def top(self) -> str:
        """Name of the highest rung that is no control and lacks nothing."""
        whole = [rung for rung in self.rungs if not rung["left_out"]]
        names = [rung["name"] for rung in whole if not rung["control"]]
        return str(names[-1] if names else whole[-1]["name"])

    @property
    def best(self) -> str:
        """Name of the rung with the highest mean accuracy on the images that choices are made on.

        Controls count only where there is nothing else.
        """
        rungs = [rung for rung in self.rungs if not rung["control"]] or self.rungs
        return str(max(rungs, key=lambda rung: float(self.accuracy(rung)["mean"]))["name"])

    @property
    def featured(self) -> str:
        """Name of the rung that is looked at closely: the final net's, else the top one.

        Added one at a time, no rung stands on another; there it is the best one.
        """
        if self.final:
            return str(self.final["rung"])
        return self.best if self.climb["reading"] == "add-one" else self.top

    @property
    def final(self) -> dict[str, Any] | None:
        """What was written down of the final net, if one was fitted."""
        final: dict[str, Any] | None = self.climb["final"]
        return final

    @property
    def chosen_on(self) -> Part:
        """The images that gains are measured on."""
        if self.chosen_on_test and self.measured_on == "test":
            return "test"
        return "test" if self.rungs[0]["val_accuracy"] is None else "validation"

    @property
    def measured_on(self) -> Part:
        """The images that the final figures come from."""
        return "test" if self.rungs[0]["test_accuracy"] is not None else "validation"

    @property
    def chosen_on_test(self) -> bool:
        """Whether any rung was chosen by the test set, as some articles do."""
        recipes = self.circumstances["recipes"].values()
        return any(recipe["validation"] == "test" for recipe in recipes)

    def accuracy(self, rung: dict[str, Any]) -> dict[str, Any]:
        """Return a rung's accuracies on the images that choices are made on."""
        return self._chosen(rung, "accuracy")

    def balanced_accuracy(self, rung: dict[str, Any]) -> dict[str, Any]:
        """Return a rung's balanced accuracies on the images that choices are made on."""
        return self._chosen(rung, "balanced_accuracy")

    def _chosen(self, rung: dict[str, Any], figure: str) -> dict[str, Any]:
        part = "val" if self.chosen_on == "validation" else "test"
        return dict(rung[f"{part}_{figure}"])

    def test_lead(self, rung: dict[str, Any]) -> float:
        """Return by how much a rung is better than its base on test images, over paired seeds."""
        own, base = (
            dict(zip(one["seeds"], one["test_accuracy"]["values"], strict=True))
            for one in (rung, self.rung(rung["base"]))
        )
        seeds = rung["gain_details"]["seeds"]
        return math.fsum(own[seed] - base[seed] for seed in seeds) / len(seeds)

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


def subject(rung: dict[str, Any]) -> str:
    """Return the name of what a rung's verdict speaks of: the rung, or what it is without."""
    name = str(rung["name"])
    return name.removeprefix("without-") if rung["left_out"] else name


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
    rungs = {rung["name"]: rung for rung in climb["rungs"]}
    final = climb["final"]
    return (
        bool(rungs and climb["seeds"])
        and climb.keys() >= NEEDED_OF_CLIMB
        and circumstances.keys() >= NEEDED_OF_CIRCUMSTANCES
        and circumstances["recipes"].keys() >= rungs.keys()
        and all(line.keys() >= NEEDED_OF_LINE for line in lines)
        and all(_rung_is_whole(rung, rungs) for rung in climb["rungs"])
        and (final is None or (final.keys() >= NEEDED_OF_FINAL and final["rung"] in rungs))
        and [(line["rung"], line["seed"]) for line in lines]
        == [(rung["name"], seed) for rung in climb["rungs"] for seed in rung["seeds"]]
        and {seed for rung in climb["rungs"] for seed in rung["seeds"]} == set(climb["seeds"])
    )


def _rung_is_whole(rung: dict[str, Any], rungs: dict[str, dict[str, Any]]) -> bool:
    """Tell whether a rung has a value for each of its seeds."""
    figures = ("val_accuracy", "test_accuracy")
    return (
        rung.keys() >= NEEDED_OF_RUNG
        and bool(rung["seeds"])
        and all(len(rung[name]["values"]) == len(rung["seeds"]) for name in figures if rung[name])
        and (rung["gain_details"] is None or _gain_is_whole(rung, rungs[rung["base"]]))
    )


def _gain_is_whole(rung: dict[str, Any], base: dict[str, Any]) -> bool:
    """Tell whether the gain has a value for each seed that rung and base have in common."""
    details = rung["gain_details"]
    common = [seed for seed in rung["seeds"] if seed in base["seeds"]]
    return details["seeds"] == common and len(details["values"]) == len(common) > 0
