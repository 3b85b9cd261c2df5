"""The records of a climb, read back from its folder."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import torch

from rungwise.errors import RunError, UsageError
from rungwise.json_text import MOST_BYTES, Amount, Count, Share, parse_json_as, read_json
from rungwise.ladder.comparison import Verdict
from rungwise.ladder.predictions import read_probabilities
from rungwise.ladder.run import Run, explaining_access, open_run
from rungwise.ladder.rung import Protocol, Reading
from rungwise.training.parsing import parse_recipe
from rungwise.training.recipe import Recipe

Part = Literal["validation", "test"]

_SPREADS: dict[Part, Literal["val_accuracy", "test_accuracy"]] = {
    "validation": "val_accuracy",
    "test": "test_accuracy",
}
"""Where the figures of each part stand in a rung."""

FILES = ("climb.json", "circumstances.json", "results.jsonl")


class Spread(TypedDict):
    """A figure over the seeds of a rung."""

    mean: Share
    std: Amount | None
    values: list[Share]


class GainDetails(TypedDict):
    """What stands behind a gain."""

    seeds: list[Count]
    values: list[float]
    seed_deviation: Amount | None
    image_deviation: Amount | None
    p_value: Share | None
    further_seeds: Count | None


class RungRecord(TypedDict):
    """A rung in `climb.json`."""

    name: str
    change: str
    base: str | None
    control: bool
    left_out: bool
    seeds: list[Count]
    val_accuracy: Spread | None
    test_accuracy: Spread | None
    val_balanced_accuracy: NotRequired[Spread | None]
    test_balanced_accuracy: NotRequired[Spread | None]
    reference: Share | None
    gain: float | None
    interval: list[float] | None
    verdict: Verdict | None
    gain_details: GainDetails | None
    seconds: Amount
    flops: Amount


class FinalRecord(TypedDict):
    """The final net in `climb.json`."""

    rung: str
    model: str
    train_images: Count
    test_accuracy: Spread | None


class ClimbRecord(TypedDict):
    """What is read of `climb.json`."""

    ladder: str
    reading: Reading
    data: str
    seeds: list[Count]
    protocol: Protocol
    budget: Amount | None
    test_opened_before: Count
    rungs: list[RungRecord]
    left_out: list[str]
    final: FinalRecord | None


class DatasetRecord(TypedDict):
    """The data set in `circumstances.json`."""

    fingerprint: str
    per_class: Count | None
    image_size: list[Count] | None
    shape: list[Count]
    class_names: list[str]
    train_images: Count
    test_images: Count


class Circumstances(TypedDict):
    """What is read of `circumstances.json`."""

    title: str
    command: str | None
    time: str
    dataset: DatasetRecord
    recipes: dict[str, dict[str, Any]]


class MeasuredRecord(TypedDict):
    """What one predictor did on one set of images, in `results.jsonl`."""

    predictions: str
    fingerprint: str
    confusion: list[list[Count]]


class LineRecord(TypedDict):
    """A rung with a seed: a line of `results.jsonl`."""

    rung: str
    seed: Count
    runs: list[str]
    validation: MeasuredRecord | None
    test: MeasuredRecord | None


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
        path, classes = self._here(line[part]["predictions"]), len(self.class_names)
        return read_probabilities(path, classes, sum(map(sum, line[part]["confusion"])))

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
            climb = read_json(ClimbRecord, folder / FILES[0])
            circumstances = read_json(Circumstances, folder / FILES[1])
            lines = tuple(_lines(folder / FILES[2]))
        if not _whole(climb, circumstances, lines):
            raise ValueError("they do not belong together")
        for name, recipe in circumstances["recipes"].items():
            parse_recipe(recipe, f"recipe of {name}")
    except (ValueError, UsageError) as error:
        why = error.problem if isinstance(error, UsageError) else error
        raise RunError(
            f"the records in {folder} are damaged or were written by another version: {why}",
            expected=f"{', '.join(FILES)} as `rungwise climb` writes them",
            fix="give the climb's command again: what is trained is found, and its records are "
            "written anew",
        ) from None
    return Records(folder, dict(climb), dict(circumstances), tuple(map(dict, lines)))


def _lines(path: Path) -> Iterator[LineRecord]:
    """Yield the lines of `results.jsonl`; what the report does not read of them is dropped."""
    with path.open("rb") as file:
        while line := file.readline(MOST_BYTES + 1):
            kept = parse_json_as(LineRecord, line)
            yield LineRecord(
                rung=kept["rung"],
                seed=kept["seed"],
                runs=kept["runs"],
                validation=_measured(kept["validation"]),
                test=_measured(kept["test"]),
            )


def _measured(kept: MeasuredRecord | None) -> MeasuredRecord | None:
    if kept is None:
        return None
    return MeasuredRecord(
        predictions=kept["predictions"],
        fingerprint=kept["fingerprint"],
        confusion=kept["confusion"],
    )


def _whole(climb: ClimbRecord, circumstances: Circumstances, lines: Sequence[LineRecord]) -> bool:
    """Tell whether the parts of the records belong together."""
    rungs = {rung["name"]: rung for rung in climb["rungs"]}
    final, dataset = climb["final"], circumstances["dataset"]
    return (
        bool(rungs and climb["seeds"] and dataset["class_names"])
        and len(rungs) == len(climb["rungs"])
        and len(dataset["shape"]) == len(("C", "H", "W"))
        and circumstances["recipes"].keys() >= rungs.keys()
        and all(_rung_is_whole(rung, rungs) for rung in climb["rungs"])
        and (final is None or final["rung"] in rungs)
        and [(line["rung"], line["seed"]) for line in lines]
        == [(rung["name"], seed) for rung in climb["rungs"] for seed in rung["seeds"]]
        and {seed for rung in climb["rungs"] for seed in rung["seeds"]} == set(climb["seeds"])
        and _figures_are_whole(climb["rungs"], lines, len(dataset["class_names"]))
    )


def _rung_is_whole(rung: RungRecord, rungs: dict[str, RungRecord]) -> bool:
    """Tell whether a rung has a value for each of its seeds, and a base that leads to the first."""
    spreads = [rung["val_accuracy"], rung["test_accuracy"]]
    decided, gained = rung["verdict"] in ("keep", "drop"), rung["gain"] is not None
    return (
        bool(rung["seeds"])
        and any(spreads)
        and all(len(spread["values"]) == len(rung["seeds"]) for spread in spreads if spread)
        and _has_an_end(rung, rungs)
        and gained == (rung["gain_details"] is not None)
        and len(rung["interval"] or (0, 0)) == 2
        and (gained or rung["verdict"] is None)
        and (rung["interval"] is not None or not decided)
        and (not gained or _gain_is_whole(rung, rungs))
    )


def _has_an_end(rung: RungRecord, rungs: dict[str, RungRecord]) -> bool:
    """Tell whether the bases below a rung are there, and lead to one that has none."""
    for _ in rungs:
        if rung["base"] is None:
            return True
        if rung["base"] not in rungs:
            return False
        rung = rungs[rung["base"]]
    return False


def _figures_are_whole(
    rungs: Sequence[RungRecord], lines: Sequence[LineRecord], classes: int
) -> bool:
    """Tell whether each line has what its rung has, and a confusion of all classes."""
    first = rungs[0]
    has = {part: first[key] is not None for part, key in _SPREADS.items()}
    parts = [(line[part], has[part]) for line in lines for part in _SPREADS]
    return all(
        (rung[key] is not None) == has[part] for rung in rungs for part, key in _SPREADS.items()
    ) and all(
        (measured is not None) == there
        and (measured is None or _is_square(measured["confusion"], classes))
        for measured, there in parts
    )


def _is_square(matrix: list[list[int]], side: int) -> bool:
    return len(matrix) == side and all(len(row) == side for row in matrix)


def _gain_is_whole(rung: RungRecord, rungs: dict[str, RungRecord]) -> bool:
    """Tell whether the gain has a value for each seed that rung and base have in common."""
    details, name = rung["gain_details"], rung["base"]
    if details is None or name is None:
        return False
    common = [seed for seed in rung["seeds"] if seed in rungs[name]["seeds"]]
    return details["seeds"] == common and len(details["values"]) == len(common) > 0
