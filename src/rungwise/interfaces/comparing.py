"""Comparing finished runs: a ladder is made of them, and climbed without training anything."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rungwise.data import Dataset, load
from rungwise.errors import RunError, UsageError
from rungwise.ladder.climb import Climb
from rungwise.ladder.numbers import counted
from rungwise.ladder.result import ClimbResult
from rungwise.ladder.run import Run, open_run
from rungwise.ladder.rung import Ladder, Rung
from rungwise.report.climb_page import write_climb_report
from rungwise.training.device import choose_device
from rungwise.training.parsing import dump_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

LADDER_NAME = "compare"


def compare(runs: Sequence[Path | str], *, device: str = "auto") -> ClimbResult:
    """Compare finished runs of one data set on their validation images, and write the report.

    Runs of one recipe with different seeds are taken together. Every recipe is compared with the
    first one, paired over the seeds that all recipes have. The test set stays sealed.

    Args:
        runs: Folders of finished runs below one folder of runs, of two recipes or more.
        device: auto, cpu, cuda or cuda:N; where predictions are made that are not on file.

    Raises:
        UsageError: The runs cannot be compared with each other.
        RunError: One is unfinished or damaged, or was trained by another version.
        DataError: Their data set is not on this machine.
    """
    opened = [open_run(Path(run)) for run in runs]
    _require_one("data set", {str(run.summary["data"]) for run in opened})
    roots = {run.path.resolve().parents[2] for run in opened}
    _require_one("folder of runs", {str(root) for root in roots})
    groups = _by_recipe(opened)
    dataset = _dataset_of(opened)
    work = Climb(
        ladder=_ladder_of(groups, dataset),
        dataset=dataset,
        seeds=_common_seeds(groups),
        root=roots.pop(),
        device=choose_device(device),
        opens_test=False,
    )
    _require_found(work)
    result = work.run()
    write_climb_report(result.folder, dataset)
    return result


def _require_one(kind: str, found: set[str]) -> None:
    if len(found) != 1:
        raise UsageError(
            f"the runs are of more than one {kind}: {', '.join(sorted(found))}",
            expected=f"runs of one {kind}",
            fix="compare those that belong together",
        )


def _by_recipe(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group the runs by what determines their weights but the seed."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(str(run.summary["key"]), []).append(run)
    if len(groups) < 2:
        raise UsageError(
            "there is nothing to compare: all runs are of one recipe",
            expected="runs of two recipes or more",
            fix="add a run of another recipe",
        )
    return groups


def _dataset_of(runs: Sequence[Run]) -> Dataset:
    summary = runs[0].summary
    size = summary["image_size"]
    image_size = (int(size[0]), int(size[1])) if size else None
    dataset = load(str(summary["data"]), offline=True, image_size=image_size)
    for run in runs:
        if run.summary["fingerprint"] != dataset.fingerprint:
            raise RunError(
                f"{run.path} was trained on other images than {summary['data']} holds now",
                expected="the data set as it was at the training",
                fix="train it again, or bring the data back to what they were",
            )
    return dataset


def _ladder_of(groups: dict[str, list[Run]], dataset: Dataset) -> Ladder:
    rungs: list[Rung] = []
    for key, runs in groups.items():
        recipe = runs[0].recipe()
        if recipe.name in {rung.name for rung in rungs}:
            recipe = replace(recipe, name=f"{recipe.name}-{key}")
        base = rungs[0].name if rungs else None
        rungs.append(Rung(recipe=recipe, change=_difference(recipe, rungs), base=base))
    title = f"{counted(len(rungs) - 1, 'recipe')} compared with {rungs[0].name}"
    return Ladder(name=LADDER_NAME, data=dataset.name, title=title, rungs=tuple(rungs))


def _difference(recipe: Recipe, before: Sequence[Rung]) -> str:
    """Name the settings in which the recipe differs from the first one."""
    if not before:
        return "what the others are compared with"
    first, own = dump_recipe(before[0].recipe), dump_recipe(recipe)
    return "other " + ", ".join(key for key in own if key != "name" and own[key] != first[key])


def _common_seeds(groups: dict[str, list[Run]]) -> tuple[int, ...]:
    seeds = [{Seed.parse(str(run.summary["seed"])) for run in runs} for runs in groups.values()]
    common = sorted(set.intersection(*seeds))
    if not common or any(seed.member for seed in common):
        raise UsageError(
            "the runs have no seed in common",
            expected="for each recipe a run with the same seed: gains are paired over seeds",
            fix="train the recipes with the same --seed, or compare other runs",
        )
    return tuple(seed.draw for seed in common)


def _require_found(work: Climb) -> None:
    for rung in work.ladder.rungs:
        for seed in work.seeds:
            for job in work.jobs(rung, seed):
                if job.finished() is None:
                    raise RunError(
                        f"{rung.name} with seed {seed} was trained by another version of rungwise, "
                        "or on another kind of machine",
                        expected="runs that this version would train in the same way",
                        fix="train it again: `rungwise train` with the run's recipe.yaml",
                    )
