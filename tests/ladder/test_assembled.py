"""The run that predicts as a recipe says: the net's own, or one assembled of nets."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rungwise.augment.views import Mirror, RandomCopies
from rungwise.data import Dataset
from rungwise.ladder.assembled import predicting_run
from rungwise.ladder.job import Job, make_jobs
from rungwise.ladder.predictions import prediction_key
from rungwise.ladder.run import Run, open_run
from rungwise.ladder.store import stored_runs
from rungwise.prediction.metrics import evaluate
from rungwise.training.recipe import Members, Recipe
from rungwise.training.seed import Seed

CPU = torch.device("cpu")
OTHERWISE = [
    {"views": Mirror()},
    {"views": RandomCopies(copies=3)},
    {"temperature_scaling": True},
    {"ensemble": (Members(count=2),)},
    {"ensemble": (Members(count=2),), "views": Mirror(pixels=1), "temperature_scaling": True},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def trained(recipe: Recipe, data: Dataset, root: Path, seed: str = "0") -> tuple[list[Job], Run]:
    """Train what is missing, and return the trainings and the run that predicts."""
    jobs = make_jobs(recipe, data, Seed.parse(seed), root, CPU)
    for job in jobs:
        if not job.is_finished():
            for _ in job.train():
                pass
    runs = [open_run(job.folder) for job in jobs]
    return jobs, predicting_run(recipe, jobs, runs)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prediction", OTHERWISE)
def test_a_run_predicts_and_is_measured_as_its_recipe_says(
    recipe: Recipe, digits: Dataset, root: Path, prediction: dict[str, object]
) -> None:
    wanted = replace(recipe, keep="last", epochs=1, **prediction)

    jobs, run = trained(wanted, digits, root)

    assert run.recipe() == wanted
    predictor, held_out = run.predictor(), jobs[0].parts().validation
    assert predictor.recipe == wanted
    assert len(predictor.nets) == len(jobs)
    assert held_out is not None
    found = evaluate(predictor.probabilities_of(held_out), held_out)
    assert run.summary["val_accuracy"] == found.accuracy
    assert run.summary["val_balanced_accuracy"] == found.balanced_accuracy
    assert run.summary["val_loss"] == found.loss
    assert predictor.figures[0].accuracy == found.accuracy


@pytest.mark.parametrize("prediction", OTHERWISE[:3])
def test_one_net_is_not_copied_where_its_own_run_predicts_so(
    recipe: Recipe, digits: Dataset, root: Path, prediction: dict[str, object]
) -> None:
    wanted = replace(recipe, epochs=1, **prediction)

    jobs, run = trained(wanted, digits, root)

    assert run.path == jobs[0].folder
    assert [one.path for one in stored_runs(root)] == [run.path]


@pytest.mark.parametrize("prediction", OTHERWISE)
def test_recipes_that_differ_in_prediction_alone_train_once_and_each_has_a_run(
    recipe: Recipe, digits: Dataset, root: Path, prediction: dict[str, object]
) -> None:
    plain = replace(recipe, epochs=1)
    _, first = trained(plain, digits, root)
    before = files(first.path)

    jobs, other = trained(replace(plain, **prediction), digits, root)

    assert jobs[0].folder == first.path
    assert other.path != first.path
    assert other.path.parent.parent == first.path.parent.parent
    assert files(first.path) == before
    assert open_run(first.path).predictor().recipe.predicts_like(plain)
    assert other.predictor().recipe.predicts_like(replace(plain, **prediction))
    again = files(other.path)
    assert trained(replace(plain, **prediction), digits, root)[1].path == other.path
    assert files(other.path) == again


def test_a_run_is_found_again_from_the_recipe_that_it_keeps(
    recipe: Recipe, digits: Dataset, root: Path
) -> None:
    wanted = replace(recipe, epochs=1, ensemble=(Members(count=2),), views=Mirror())
    _, run = trained(wanted, digits, root, "3")

    assert run.path.name == "seed-3"
    assert trained(run.recipe(), digits, root, "3")[1].path == run.path
    assert trained(replace(run.recipe(), name="renamed"), digits, root, "3")[1].path == run.path


def test_an_assembled_run_has_the_sums_of_its_nets_and_names_them(
    recipe: Recipe, digits: Dataset, root: Path
) -> None:
    jobs, run = trained(replace(recipe, epochs=1, ensemble=(Members(count=2),)), digits, root)

    nets = [open_run(job.folder).summary for job in jobs]
    for figure in ("seconds", "flops"):
        assert run.summary[figure] == nets[0][figure] + nets[1][figure]
    assert run.summary["epochs"] == 1
    folder = jobs[0].folder.parent.name
    assert [net["run"] for net in run.summary["nets"]] == [f"{folder}/seed-0", f"{folder}/seed-0.1"]
    assert run.nets() == [net["files"]["model.safetensors"] for net in nets]
    assert run.history() == []
    assert len(run.predictor().origins) == 2


def test_predictions_of_an_assembled_run_are_those_of_its_nets(
    recipe: Recipe, digits: Dataset, root: Path
) -> None:
    wanted = replace(recipe, epochs=1, ensemble=(Members(count=2),))
    jobs, run = trained(wanted, digits, root)

    nets = [open_run(job.folder) for job in jobs]
    assert digits.test is not None
    key = prediction_key(wanted, nets, digits.test)
    assert prediction_key(wanted, [run], digits.test) == key


@pytest.mark.parametrize("spoiled", ["model.safetensors", "summary.json", "recipe.yaml"])
def test_an_assembled_run_that_is_damaged_is_assembled_again(
    recipe: Recipe, digits: Dataset, root: Path, spoiled: str
) -> None:
    wanted = replace(recipe, epochs=1, ensemble=(Members(count=2),))
    _, run = trained(wanted, digits, root)
    whole = files(run.path)
    (run.path / spoiled).write_bytes(b"{}")

    trained(wanted, digits, root)

    assert files(run.path) == whole


def test_an_assembled_run_follows_a_net_that_was_trained_again(
    recipe: Recipe, digits: Dataset, root: Path
) -> None:
    wanted = replace(recipe, epochs=1, ensemble=(Members(count=2),))
    jobs, run = trained(wanted, digits, root)
    net = open_run(jobs[1].folder)
    renamed = replace(net.predictor(), recipe=replace(net.recipe(), name="again"))
    renamed.save(net.path / "model.safetensors")
    summary = json.loads((net.path / "summary.json").read_text())
    summary["files"]["model.safetensors"] = "0" * 64
    other = replace(net, summary=summary)

    again = predicting_run(wanted, jobs, [open_run(jobs[0].folder), other])

    assert again.path == run.path
    assert again.summary["nets"][1]["model.safetensors"] == "0" * 64
