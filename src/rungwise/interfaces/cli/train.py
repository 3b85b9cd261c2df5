"""`rungwise train`: train one recipe, of a net or of several, on one data set with one seed."""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rungwise.errors import UsageError
from rungwise.interfaces.cli.options import BadFiles, Place, Switch, WatchedOutput
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import counted, percent, percent_interval

if TYPE_CHECKING:
    from rungwise.data import Dataset
    from rungwise.ladder.job import Job
    from rungwise.ladder.run import Run
    from rungwise.training.recipe import Recipe


def train(
    data: str = "digits",
    *,
    recipe: str = "compact",
    set: Annotated[list[str] | None, Parameter(negative="")] = None,
    seed: str = "0",
    epochs: int | None = None,
    fit: Switch = False,
    image_size: int | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
    resume: Switch = False,
    restart: Switch = False,
    dry_run: Switch = False,
    place: Place = Place(),
    output: WatchedOutput = WatchedOutput(),
) -> None:
    """Train one recipe; prints where the run lies and its validation accuracy.

    The same recipe, data and seed always give the same run; one that is finished is found again.
    A recipe that is an ensemble gives a run for each net, and one run that predicts with all. A run
    predicts as its recipe says: with its views, ensemble and temperatures.

    Args:
        data: A named set, NAME@N for N images of each class, a folder, a .csv or .parquet table
            of images, or a .npz file.
        recipe: A name (`rungwise list recipes`) or a YAML file.
        set: PLACE=VALUE on top of the recipe, such as optimizer.lr=0.01; may be repeated.
        seed: A whole number, or DRAW.MEMBER for a further net on the same draw of the data.
        epochs: Short for --set epochs=N.
        fit: Train on all training images, holding none out, as `climb --fit` does.
        image_size: Resize the images of a folder or a table to this many pixels a side.
        bad_files: Whether image files that cannot be read are an error, or left out.
        test_share: Set this share of the images aside as a test part, where the data have none.
        resume: Go on with an unfinished run.
        restart: Train an unfinished run anew from its start.
        dry_run: Print the resolved recipe and where the run would lie, and train nothing.
    """
    from rungwise.data import load
    from rungwise.interfaces.cli.loading import LoadingBar, tell_notes, warn_of_mirroring
    from rungwise.ladder.assembled import predicting_run
    from rungwise.ladder.job import make_jobs
    from rungwise.ladder.recipes import find_recipe
    from rungwise.training.device import choose_device
    from rungwise.training.parsing import override
    from rungwise.training.seed import Seed

    if resume and restart:
        raise UsageError(
            "--resume and --restart exclude each other",
            expected="one of them",
            fix="--resume goes on with an unfinished run, --restart trains it anew",
        )
    if fit and any(setting.startswith("validation=") for setting in set or ()):
        raise UsageError(
            "--fit and --set validation=... exclude each other",
            expected="one of them: --fit holds no images out",
            fix="leave one out",
        )
    settings = [*(set or []), *([f"epochs={epochs}"] if epochs is not None else [])]
    chosen = override(find_recipe(recipe), settings) if settings else find_recipe(recipe)
    wanted_seed, device = Seed.parse(seed), choose_device(place.device)
    if chosen.ensemble and wanted_seed.member:
        raise UsageError(
            f"the seed {seed} names one net, and the recipe {chosen.name!r} is an ensemble",
            expected="a draw of the data, which all nets of an ensemble share",
            fix=f"use --seed {wanted_seed.draw}",
        )
    with LoadingBar(output.quiet) as bar:
        dataset = load(
            data,
            offline=place.offline,
            image_size=image_size,
            bad_files=bad_files,
            test_share=test_share,
            progress=bar,
        )
    tell_notes(dataset)
    if fit:
        chosen = _on_all_images(chosen, dataset)
    jobs = make_jobs(chosen, dataset, wanted_seed, place.out, device)
    if dry_run:
        warn_of_mirroring([chosen], dataset)
        _print_plan(jobs, output.json)
        return
    with contextlib.ExitStack() as held:
        for job in jobs:
            held.enter_context(job.alone())
        found = [job.finished() for job in jobs]
        if None in found:
            _decide_about_unfinished(jobs, resume=resume, restart=restart)
            warn_of_mirroring([chosen], dataset)
        runs = [
            run or _train(job, quiet=output.quiet) for job, run in zip(jobs, found, strict=True)
        ]
        whole = predicting_run(chosen, jobs, runs)
    if output.json:
        nets = [train_result(run) for run in runs]
        print_json(train_result(whole) | ({"nets": nets} if len(runs) > 1 else {}))
    else:
        _print(whole, runs, tested=dataset.test is not None)


def _on_all_images(recipe: "Recipe", dataset: "Dataset") -> "Recipe":
    """Return the recipe that trains on all images, or say why it cannot."""
    from rungwise.ladder.final import on_all_images

    fitted = on_all_images(recipe, dataset)
    if fitted.validation not in (0, "test") and dataset.validation is None:
        print(
            f"note: {recipe.name} holds a share of {recipe.validation:g} of the images out all the "
            "same: its training, or its temperature scaling, is decided on them",
            file=sys.stderr,
        )
    return fitted


def _print_plan(jobs: "list[Job]", as_json: bool) -> None:
    from rungwise.training.parsing import dump_recipe, recipe_text

    if as_json:
        _print_json([{"run": str(job.folder), "recipe": dump_recipe(job.recipe)} for job in jobs])
    else:
        print(
            "---\n".join(f"{recipe_text(job.recipe)}# run: {job.folder}\n" for job in jobs), end=""
        )


def _print_json(nets: list[dict[str, Any]]) -> None:
    """Print what there is of one net, or of an ensemble's nets in a list."""
    print_json(nets[0] if len(nets) == 1 else {"nets": nets})


def _decide_about_unfinished(jobs: "list[Job]", *, resume: bool, restart: bool) -> None:
    from rungwise.storage import explaining_storage

    unfinished = [job for job in jobs if not job.is_finished()]
    started = [job for job in unfinished if job.is_started()]
    if restart:
        for job in started:
            state = job.folder / "last.safetensors"
            with explaining_storage(state):
                state.unlink()
    elif started and not resume:
        raise UsageError(
            f"an unfinished run is there already: {started[0].folder}",
            expected="a decision about it",
            fix="--resume goes on with it, --restart trains it anew",
        )
    elif resume and not started and unfinished == jobs:
        raise UsageError(
            f"there is nothing to resume in {jobs[0].folder}",
            expected="an unfinished run of this recipe, data and seed",
            fix="leave --resume out, or check the recipe, the data, the seed and --out",
        )


def _train(job: "Job", *, quiet: bool) -> "Run":
    from rungwise.interfaces.cli.interrupts import catching_interrupts
    from rungwise.interfaces.cli.watching import EPOCH_HEADER, Watch, epoch_line
    from rungwise.ladder.run import open_run
    from rungwise.report.run_figures import draw_run_figures

    go_on = "run the same command with --resume"
    with Watch(quiet) as watch, catching_interrupts(go_on) as interrupts:
        watch.line(f"run {job.folder}")
        watch.line(EPOCH_HEADER)
        with contextlib.closing(job.train()) as training:
            for progress in training:
                if progress.record:
                    watch.line(epoch_line(progress.record))
                watch.training_bar("", progress, job.recipe.epochs)
                interrupts.check()
    run = open_run(job.folder)
    draw_run_figures(run, job.parts())
    return run


def _print(whole: "Run", runs: "list[Run]", *, tested: bool) -> None:
    if len(runs) > 1:
        facts = [_facts(run) for run in runs]
        print_table(list(facts[0]), [list(row.values()) for row in facts])
        print()
    for name, text in (_facts(whole) | _prediction(whole)).items():
        print(f"{name:<20} {text}")
    for run in runs:
        if _overfits(run.summary):
            print(_overfitting(run))
    command = shlex.join(["rungwise", "evaluate", str(whole.path)])
    if not tested:
        print("test set             none in these data; --test-share 0.2 sets a part of them aside")
        validated = whole.summary["val_accuracy"] is not None
        command += " --part validation" if validated else " DATA"
    elif whole.summary["validation"] != "test":
        print("test set             sealed; evaluating opens it")
    print(f"to evaluate          {command}")


def _prediction(run: "Run") -> dict[str, str]:
    from rungwise.prediction.words import prediction_words

    recipe = run.recipe()
    nets = recipe.nets * len(recipe.member_recipes())
    return {"predicts with": prediction_words(recipe, nets)}


def _facts(run: "Run") -> dict[str, str]:
    """Return what is told of a net, under its names."""
    summary = run.summary
    facts = {"run": str(Path(run.path).resolve())}
    chosen_on_test = summary["validation"] == "test"
    name = "test accuracy (used for choosing)" if chosen_on_test else "validation accuracy"
    if summary["val_accuracy"] is not None:
        images = _held_out(summary)
        of = f"  ({counted(images, 'image')})" if images else ""
        facts[name] = percent(summary["val_accuracy"]) + of
    interval = _interval(summary)
    if interval is not None:
        facts["95% interval"] = percent_interval(interval)
    balanced = summary.get("val_balanced_accuracy")  # summaries of earlier versions have none
    if balanced is not None:
        facts["balanced accuracy"] = percent(balanced)
    if run.collapse:
        facts["collapsed"] = run.collapse
    return facts | {
        "epochs": str(summary["epochs"]),
        "seconds": f"{summary['seconds']:.1f}",
        "operations": f"{summary['flops']:.3g}",
    }


def _interval(summary: dict[str, Any]) -> tuple[float, float] | None:
    """Return the 95% interval of the accuracy on the images held out, if their number is known."""
    from rungwise.prediction.uncertainty import wilson_interval

    images = _held_out(summary)
    return wilson_interval(summary["val_accuracy"], images) if images else None


def _held_out(summary: dict[str, Any]) -> int | None:
    """Return on how many images a run was validated; None for none, or in earlier versions."""
    part = "test" if summary["validation"] == "test" else "validation"
    counts: dict[str, int] = summary.get("images") or {}
    return counts.get(part) if summary["val_accuracy"] is not None else None


def _overfits(summary: dict[str, Any]) -> bool | None:
    """Tell whether a net overfits; None where that cannot be known."""
    from rungwise.prediction.uncertainty import overfits

    held_out = _held_out(summary)
    if held_out is None or summary["train_accuracy"] is None:
        return None
    trained_on = summary["images"]["train"]
    return overfits(summary["train_accuracy"], trained_on, summary["val_accuracy"], held_out)


def _overfitting(run: "Run") -> str:
    trained, held_out = run.summary["train_accuracy"], run.summary["val_accuracy"]
    return (
        f"overfits             training accuracy {percent(trained)}, on images held out "
        f"{percent(held_out)}: try more training images, augmentation, weight decay or a smaller "
        "net"
    )


def train_result(run: "Run") -> dict[str, Any]:
    """Return what `train --json` prints."""
    summary = run.summary
    chosen_on_test = summary["validation"] == "test"
    return {
        "run": str(Path(run.path).resolve()),
        "val_accuracy": summary["val_accuracy"],
        "val_accuracy_interval": _interval(summary),
        "val_balanced_accuracy": summary.get("val_balanced_accuracy"),
        "train_accuracy": summary.get("train_accuracy"),
        "overfits": _overfits(summary),
        "test_accuracy": summary["val_accuracy"] if chosen_on_test else None,
        "collapse": run.collapse,
        "epochs": summary["epochs"],
        "seconds": summary["seconds"],
        "flops": summary["flops"],
    }
