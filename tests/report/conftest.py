"""A tiny climb with its report, and records made by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment import Shift
from rungwise.data import Dataset, load
from rungwise.ladder.climb import Climb
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP, Multitask
from rungwise.report.climb_page import write_climb_report
from rungwise.report.records import Records
from rungwise.techniques import Reconstruction
from rungwise.training.parsing import dump_recipe
from rungwise.training.recipe import Recipe

PLAIN = Recipe(
    name="plain",
    model=MLP(hidden_widths=(4,)),
    validation=0.2,
    epochs=1,
    batch_size=64,
    precision="float32",
)
TASKS = replace(
    PLAIN,
    name="tasks",
    model=Multitask(conv_width=2, dense_width=4),
    techniques=(Reconstruction(),),
    augment=(Shift(pixels=1),),
)
LADDER = Ladder(
    name="small",
    data="digits",
    title="Two rungs & a <title>",
    rungs=(
        Rung(recipe=PLAIN, change="<b>nothing</b> yet", reference=0.5),
        Rung(recipe=TASKS, change="an autoencoder", base="plain"),
    ),
)

MakeClimb = Callable[[Dataset, Path], Path]
MakeRecords = Callable[..., Records]


@pytest.fixture(scope="session")
def climb_with_report() -> MakeClimb:
    """Return a function that climbs with two seeds and returns the climb's folder."""

    def climb(dataset: Dataset, root: Path) -> Path:
        work = Climb(LADDER, dataset, (0, 1), root, torch.device("cpu"), command="rungwise climb x")
        result = work.run()
        return write_climb_report(result.folder, dataset).parent

    return climb


@pytest.fixture(scope="session")
def climbed(climb_with_report: MakeClimb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a climb on the digits, for tests that only look."""
    return climb_with_report(load("digits"), tmp_path_factory.mktemp("climbed") / "runs")


def rung_record(name: str, accuracy: float, base: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a rung of `climb.json`; the gain over `base` is given as `gain`."""
    gain = more.get("gain")
    details = {
        "seeds": [0, 1],
        "mean": gain,
        "values": [gain, gain],
        "seed_deviation": 0.01,
        "image_deviation": 0.02,
        "p_value": 0.5,
        "further_seeds": more.pop("further_seeds", None),
    }
    return {
        "name": name,
        "change": f"change of {name}",
        "base": base,
        "control": False,
        "left_out": False,
        "seeds": [0, 1],
        "val_accuracy": {"mean": accuracy, "std": 0.01, "values": [accuracy, accuracy]},
        "test_accuracy": {"mean": accuracy, "std": 0.0, "values": [accuracy, accuracy]},
        "val_balanced_accuracy": {"mean": accuracy - 0.1, "std": 0.02, "values": []},
        "reference": None,
        "gain": None,
        "interval": None,
        "verdict": None,
        "gain_details": details if base else None,
        "seconds": 10.0,
        "flops": 1e9,
        **more,
    }


@pytest.fixture(scope="session")
def records_of() -> MakeRecords:
    """Return a function that makes records of rungs, with nothing on the disk."""

    def make(*rungs: dict[str, Any], recipe: Recipe = PLAIN, **more: Any) -> Records:
        climb = {
            "ladder": "small",
            "reading": "cumulative",
            "data": "digits",
            "seeds": [0, 1],
            "protocol": "sealed",
            "budget": None,
            "test_opened_before": 0,
            "rungs": list(rungs),
            "left_out": [],
            "final": None,
            **more,
        }
        recipes = {rung["name"]: dump_recipe(replace(recipe, name=rung["name"])) for rung in rungs}
        circumstances = {"recipes": recipes, "dataset": {"test_images": 360}}
        return Records(Path("nowhere"), climb, circumstances, ())

    return make


@pytest.fixture(scope="session")
def rung() -> Callable[..., dict[str, Any]]:
    """Return the function that makes a rung's record."""
    return rung_record
