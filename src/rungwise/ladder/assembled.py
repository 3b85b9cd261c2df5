"""The run that predicts as a recipe says, once the recipe's nets are trained.

Views, ensemble and temperatures do not belong to the key of a training, so several recipes may
share trained nets. Each recipe has a run that predicts as it says all the same:

    one net, trained for a recipe that predicts alike    that net's run
    an ensemble, or a net that predicts otherwise        a run assembled of the nets' runs

An assembled run holds the files of any run. Its `metrics.csv` has no lines: the epochs are in the
runs of its nets, which `nets` in its summary names.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rungwise.errors import RunError
from rungwise.ladder.job import (
    Job,
    canonical,
    held_out_figures,
    measured_on,
    metrics_text,
    training_key,
)
from rungwise.ladder.predictions import predictor_of
from rungwise.ladder.run import Run, begin_run, finish_run, open_run
from rungwise.storage import write_text
from rungwise.training.parsing import dump_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.sources import own_sources


def predicting_run(recipe: Recipe, jobs: Sequence[Job], runs: Sequence[Run]) -> Run:
    """Return the run that predicts as the recipe says; assemble it if it is not there.

    Args:
        recipe: Of one net or an ensemble.
        jobs: The trainings of its nets.
        runs: What they have left, as many.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    if not recipe.ensemble and recipe.predicts_like(runs[0].recipe()):
        return runs[0]
    recipe = replace(recipe, precision=jobs[0].recipe.precision)
    folder = _folder(recipe, jobs)
    try:
        found = open_run(folder)
        if found.summary.get("nets") == [_net(run) for run in runs]:
            return found
    except RunError:  # it is not there, or not whole
        pass
    return _assemble(recipe, jobs[0], runs, folder)


def _folder(recipe: Recipe, jobs: Sequence[Job]) -> Path:
    """Return a folder beside those of the nets, for these nets and this way to predict."""
    plain = dump_recipe(recipe)
    way = [canonical(plain["views"]), recipe.temperature_scaling, own_sources([recipe.views])]
    content = json.dumps([[job.key for job in jobs], way], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:10]
    data = jobs[0].folder.parents[1]
    same = sorted(data.glob(f"*-{key}"))
    return (same[0] if same else data / f"{recipe.name}-{key}") / f"seed-{jobs[0].seed}"


def _net(run: Run) -> dict[str, str]:
    return {
        "run": "/".join(run.path.parts[-2:]),
        "model.safetensors": run.summary["files"]["model.safetensors"],
    }


def _assemble(recipe: Recipe, first: Job, runs: Sequence[Run], folder: Path) -> Run:
    (folder / "summary.json").unlink(missing_ok=True)
    begin_run(folder, recipe, first.device)
    write_text(folder / "metrics.csv", metrics_text([]))
    predictor = predictor_of(recipe, runs, first.device)
    summary = _summary(recipe, first, runs)
    held_out = first.parts().validation
    if held_out is not None:
        predictor, measured = measured_on(held_out, predictor)
        summary |= held_out_figures(measured)
    finish_run(folder, predictor, summary)
    return open_run(folder)


def _summary(recipe: Recipe, first: Job, runs: Sequence[Run]) -> dict[str, Any]:
    summaries = [run.summary for run in runs]
    return {
        **summaries[0],
        "key": training_key(recipe, first.dataset),
        "recipe": recipe.name,
        "train_accuracy": None,
        "collapse": "; ".join(one["collapse"] for one in summaries if one.get("collapse")) or None,
        "kept_epoch": None,
        "epochs": max(summary["epochs"] for summary in summaries),
        "seconds": sum(summary["seconds"] for summary in summaries),
        "flops": sum(summary["flops"] for summary in summaries),
        "nets": [_net(run) for run in runs],
    }
