"""Comparing finished runs: a ladder is made of them, and climbed without training anything."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rungwise.data import Dataset, load_as_recorded
from rungwise.data.resized import identified_like
from rungwise.errors import RunError, UsageError
from rungwise.host import set_aside
from rungwise.ladder.climb import Climb
from rungwise.ladder.job import training_key
from rungwise.ladder.numbers import counted
from rungwise.ladder.result import ClimbResult
from rungwise.ladder.run import Run, open_run
from rungwise.ladder.rung import Ladder, Rung
from rungwise.prediction.words import prediction_words
from rungwise.report.climb_page import write_climb_report
from rungwise.training.device import choose_device
from rungwise.training.parsing import dump_recipe, predicting
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

LADDER_NAME = "compare"

Size = tuple[int, int] | None
"""(height, width) that image files were resized to."""


class Group(NamedTuple):
    """Runs of one recipe.

    Args:
        recipe: As it predicts here.
        key: Of its training.
        runs: One or more.
    """

    recipe: Recipe
    key: str
    runs: list[Run]


@set_aside()
def compare(
    runs: Sequence[Path | str],
    *,
    views: str | None = None,
    temperature_scaling: bool | None = None,
    device: str = "auto",
) -> ClimbResult:
    """Compare finished runs of one data set on their validation images, and write the report.

    Runs of one recipe with different seeds are taken together. Every recipe is compared with the
    first one, paired over the seeds that all recipes have. Each predicts as it says, with its
    views, ensemble and temperatures, unless something else is asked for. Image files may have been
    loaded at different sizes: they are the same images, and are paired so. The test set stays
    sealed.

    Args:
        runs: Folders of finished runs below one folder of runs, of two recipes or more.
        views: Test-time augmentation of all recipes instead of their own: `none`, a name such as
            `mirror`, or `{name: mirror, pixels: 1}`.
        temperature_scaling: Whether all scale by their temperatures, instead of what they say.
        device: auto, cpu, cuda or cuda:N; where predictions are made that are not on file.

    Raises:
        UsageError: The runs cannot be compared with each other.
        RunError: One is unfinished or damaged, or was trained by another version.
        DataError: Their data set is not on this machine.
    """
    if isinstance(runs, Path | str):
        runs = [runs]
    opened = [open_run(Path(run)) for run in runs]
    if not opened:
        raise _nothing_to_compare("no run is given")
    _require_one("data set", {str(run.summary["data"]) for run in opened})
    root = _root_of(opened)
    data = _data_of(opened)
    dataset = next(iter(data.values()))
    groups = _by_recipe(opened, data, views, temperature_scaling)
    _require_held_out(opened, dataset)
    seeds, unpaired = _common_seeds(groups)
    work = Climb(
        ladder=_ladder_of(groups, data),
        resized={resized.train.shape[1:]: resized for resized in data.values()},
        dataset=dataset,
        seeds=seeds,
        root=root,
        device=choose_device(device),
        command=shlex.join(["rungwise", "compare", *map(str, runs)]),
        opens_test=False,
        unread=unpaired,
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


def _root_of(runs: Sequence[Run]) -> Path:
    """Return the folder that holds runs/<data>/<recipe>-<hash>/seed-<n>.

    Raises:
        UsageError: The runs lie in more than one.
        RunError: One lies in none.
    """
    roots: set[Path] = set()
    for run in runs:
        if run.root is None:
            raise _not_where_stored(f"{run.path} lies outside of a folder of runs")
        roots.add(run.root)
    _require_one("folder of runs", set(map(str, roots)))
    return roots.pop()


def _not_where_stored(problem: str) -> RunError:
    return RunError(
        problem,
        expected="runs that lie where rungwise stored them, runs/DATA/RECIPE-KEY/seed-N",
        fix="move it back, and compare it there",
    )


def _by_recipe(
    runs: Sequence[Run],
    data: dict[Size, Dataset],
    views: str | None,
    temperature_scaling: bool | None,
) -> list[Group]:
    """Group the runs by what determines their answers but the seed.

    Raises:
        RunError: Another version trained one of them.
        UsageError: All are of one recipe.
    """
    groups: list[Group] = []
    for run in runs:
        recipe = predicting(run.recipe(), views, temperature_scaling)
        key = training_key(recipe, data[_size_of(run)])
        if run.summary.get("key") != key:
            raise _outdated(run)
        alike = (one for one in groups if one.key == key and one.recipe.predicts_like(recipe))
        group = next(alike, None)
        if group is None:
            groups.append(Group(recipe, key, [run]))
        else:
            group.runs.append(run)
    if len(groups) < 2:
        raise _nothing_to_compare("all runs are of one recipe")
    return groups


def _nothing_to_compare(why: str) -> UsageError:
    return UsageError(
        f"there is nothing to compare: {why}",
        expected="runs of two recipes or more",
        fix="add a run of another recipe: `rungwise runs list` shows them",
    )


def _outdated(run: Run) -> RunError:
    command = ["rungwise", "train", str(run.summary["data"])]
    command += ["--recipe", str(run.path / "recipe.yaml"), "--seed", str(run.summary["seed"])]
    return RunError(
        f"{run.path} was trained by another version of rungwise, or of code of your own in it",
        expected="runs of this version: what versions differ in would pass for a gain",
        fix=f"train it again: {shlex.join(command)}",
    )


def _size_of(run: Run) -> Size:
    size = run.summary["image_size"]
    return (int(size[0]), int(size[1])) if size else None


def _data_of(runs: Sequence[Run]) -> dict[Size, Dataset]:
    """Return the data set at each size that a run was trained at; that of the first run is first.

    Raises:
        UsageError: The runs are of different test parts.
        DataError: The data set is not on this machine.
        RunError: It is not what a run was trained on.
    """
    _require_one(
        "share of test images", {str(run.summary.get("test_share") or "none") for run in runs}
    )
    data: dict[Size, Dataset] = {}
    for run in runs:
        size, summary = _size_of(run), run.summary
        if size not in data:
            dataset = load_as_recorded(summary, offline=True)
            first = next(iter(data.values()), None)
            data[size] = identified_like(dataset, first) if first else dataset
        if summary["fingerprint"] != data[size].fingerprint:
            raise RunError(
                f"{run.path} was trained on other images than {summary['data']} holds now",
                expected="the data set as it was at the training",
                fix="train it again, or bring the data back to what they were",
            )
    return data


def _require_held_out(runs: Sequence[Run], dataset: Dataset) -> None:
    """Require that all runs hold the same validation images out, seed by seed.

    Raises:
        UsageError: They were not, or one held nothing out, or used the test set for that.
    """
    for run in runs:
        if run.summary["val_accuracy"] is None or run.recipe().validation == "test":
            raise UsageError(
                f"{run.path} held no validation images out of the training images",
                expected="runs with validation images: the test set stays sealed",
                fix="train it with for example --set validation=0.1",
            )
    if dataset.validation is None:
        _require_one("share of validation images", {str(run.recipe().validation) for run in runs})


def _ladder_of(groups: list[Group], data: dict[Size, Dataset]) -> Ladder:
    rungs: list[Rung] = []
    dataset = next(iter(data.values()))
    for recipe, _, runs in groups:
        if recipe.name in {rung.name for rung in rungs}:
            key = runs[0].path.resolve().parent.name.rpartition("-")[2]
            recipe = replace(recipe, name=f"{recipe.name}-{key}")
        base = rungs[0].name if rungs else None
        size = data[_size_of(runs[0])].train.shape[1:]
        resized = size if size != dataset.train.shape[1:] else None
        change = _difference(recipe, resized, rungs)
        rungs.append(Rung(recipe=recipe, change=change, base=base, image_size=resized))
    title = f"{counted(len(rungs) - 1, 'recipe')} compared with {rungs[0].name}"
    return Ladder(name=LADDER_NAME, data=dataset.name, title=title, rungs=tuple(rungs))


def _difference(recipe: Recipe, size: Size, before: Sequence[Rung]) -> str:
    """Name the settings and the image size that differ from the first's, and the prediction."""
    way = prediction_words(recipe, recipe.nets * len(recipe.member_recipes()))
    if not before:
        plain = recipe.predicts_like(recipe.single())
        return "what the others are compared with" + ("" if plain else f"; {way}")
    first, own = dump_recipe(before[0].recipe), dump_recipe(recipe)
    settings = [key for key in own if key != "name" and own[key] != first[key]]
    if size is not None:
        settings.append(f"image size ({size[0]}x{size[1]})")
    alike = recipe.predicts_like(before[0].recipe)
    return f"other {', '.join(settings)}" + ("" if alike else f"; {way}")


def _common_seeds(groups: list[Group]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the seeds that all recipes have, and a sentence on each run of another seed.

    Raises:
        UsageError: There is no such seed.
    """
    runs = [run for group in groups for run in group.runs]
    seeds = [{_seed_of(run) for run in group.runs} for group in groups]
    common = sorted(seed.draw for seed in set.intersection(*seeds) if not seed.member)
    if not common:
        raise UsageError(
            "the runs have no seed in common: "
            + ", ".join(f"{run.path} has {_seed_of(run)}" for run in runs),
            expected="for each recipe a run with the same seed, which is no ensemble's member: "
            "gains are paired over seeds",
            fix="train the recipes with the same --seed, or compare other runs",
        )
    unpaired = [run for run in runs if _seed_of(run) not in map(Seed, common)]
    return tuple(common), tuple(f"{run.path}: {_why_unpaired(_seed_of(run))}" for run in unpaired)


def _seed_of(run: Run) -> Seed:
    return Seed.parse(str(run.summary["seed"]))


def _why_unpaired(seed: Seed) -> str:
    if seed.member:
        return "it is an ensemble's member"
    return f"not all recipes have a run with seed {seed}"


def _require_found(work: Climb) -> None:
    """Require that nothing is left to train.

    Raises:
        RunError: A run does not lie where it was stored.
    """
    for rung in work.ladder.rungs:
        for seed in work.seeds:
            for job in work.jobs(rung, seed):
                if job.finished() is None:
                    raise _not_where_stored(
                        f"the run of {rung.name} with seed {seed} is not at {job.folder}"
                    )
