"""`rungwise train`: train one recipe on one data set with one seed."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rungwise.errors import UsageError
from rungwise.interfaces.cli.options import BadFiles, Place, Switch, WatchedOutput
from rungwise.interfaces.cli.printing import print_json
from rungwise.ladder.numbers import percent

if TYPE_CHECKING:
    from rungwise.ladder.job import Job
    from rungwise.ladder.run import Run


def train(
    data: str = "digits",
    *,
    recipe: str = "compact",
    set: Annotated[list[str] | None, Parameter(negative="")] = None,
    seed: str = "0",
    epochs: int | None = None,
    image_size: int | None = None,
    bad_files: BadFiles = "stop",
    resume: Switch = False,
    restart: Switch = False,
    dry_run: Switch = False,
    place: Place = Place(),
    output: WatchedOutput = WatchedOutput(),
) -> None:
    """Train one recipe; prints where the run lies and its validation accuracy.

    The same recipe, data and seed always give the same run; one that is finished is found again.

    Args:
        data: A named set, NAME@N for N images of each class, a folder, a .csv or .parquet table
            of images, or a .npz file.
        recipe: A name (`rungwise list recipes`) or a YAML file.
        set: PLACE=VALUE on top of the recipe, such as optimizer.lr=0.01; may be repeated.
        seed: A whole number, or DRAW.MEMBER for a further net on the same draw of the data.
        epochs: Short for --set epochs=N.
        image_size: Resize the images of a folder or a table to this many pixels a side.
        bad_files: Whether image files that cannot be read are an error, or left out.
        resume: Go on with an unfinished run.
        restart: Train an unfinished run anew from its start.
        dry_run: Print the resolved recipe and where the run would lie, and train nothing.
    """
    from rungwise.data import load
    from rungwise.interfaces.cli.loading import LoadingBar, tell_notes, warn_of_mirroring
    from rungwise.ladder.job import make_job
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
    settings = [*(set or []), *([f"epochs={epochs}"] if epochs is not None else [])]
    chosen = override(find_recipe(recipe), settings) if settings else find_recipe(recipe)
    if chosen.ensemble:
        raise UsageError(
            f"the recipe {chosen.name!r} is an ensemble of several nets",
            expected="a recipe of one net",
            fix="climb its ladder, or train the nets and combine them with `rungwise evaluate "
            "RUN --with RUN`",
        )
    wanted_seed, device = Seed.parse(seed), choose_device(place.device)
    with LoadingBar(output.quiet) as bar:
        dataset = load(
            data, offline=place.offline, image_size=image_size, bad_files=bad_files, progress=bar
        )
    tell_notes(dataset)
    job = make_job(chosen, dataset, wanted_seed, place.out, device)
    if dry_run:
        warn_of_mirroring([chosen], dataset)
        _print_plan(job, output.json)
        return
    with job.alone():
        run = job.finished()
        if run is None:
            _decide_about_unfinished(job, resume=resume, restart=restart)
            warn_of_mirroring([chosen], dataset)
            run = _train(job, quiet=output.quiet)
    for setting in ("views", "temperature_scaling"):
        if getattr(chosen, setting) and not output.quiet:
            option = setting.replace("_", "-")
            print(
                f"note: {setting} is for prediction: give --{option} to `evaluate`", file=sys.stderr
            )
    if output.json:
        print_json(train_result(run))
    else:
        _print(run, tested=dataset.test is not None)


def _print_plan(job: "Job", as_json: bool) -> None:
    from rungwise.training.parsing import dump_recipe, recipe_text

    if as_json:
        print_json({"run": str(job.folder), "recipe": dump_recipe(job.recipe)})
    else:
        print(recipe_text(job.recipe) + f"# run: {job.folder}")


def _decide_about_unfinished(job: "Job", *, resume: bool, restart: bool) -> None:
    from rungwise.storage import explaining_storage

    if restart:
        state = job.folder / "last.safetensors"
        with explaining_storage(state):
            state.unlink(missing_ok=True)
    elif job.is_started() and not resume:
        raise UsageError(
            f"an unfinished run is there already: {job.folder}",
            expected="a decision about it",
            fix="--resume goes on with it, --restart trains it anew",
        )
    elif resume and not job.is_started():
        raise UsageError(
            f"there is nothing to resume in {job.folder}",
            expected="an unfinished run of this recipe, data and seed",
            fix="leave --resume out, or check the recipe, the data, the seed and --out",
        )


def _train(job: "Job", *, quiet: bool) -> "Run":
    from rungwise.interfaces.cli.interrupts import catching_interrupts
    from rungwise.interfaces.cli.watching import EPOCH_HEADER, Watch, epoch_line
    from rungwise.ladder.run import open_run
    from rungwise.report.run_figures import draw_run_figures

    with Watch(quiet) as watch, catching_interrupts() as interrupts:
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


def _print(run: "Run", *, tested: bool) -> None:
    summary = run.summary
    chosen_on_test = summary["validation"] == "test"
    name = "test accuracy (used for choosing)" if chosen_on_test else "validation accuracy"
    print(f"run                  {Path(run.path).resolve()}")
    if summary["val_accuracy"] is not None:
        print(f"{name:<20} {percent(summary['val_accuracy'])}")
    balanced = summary.get("val_balanced_accuracy")  # summaries of earlier versions have none
    if balanced is not None:
        print(f"{'balanced accuracy':<20} {percent(balanced)}")
    print(f"epochs               {summary['epochs']}")
    print(f"seconds              {summary['seconds']:.1f}")
    print(f"operations           {summary['flops']:.3g}")
    if not tested:
        print("test set             none in these data")
    elif not chosen_on_test:
        print(f"test set             sealed; `rungwise evaluate {run.path}` opens it")


def train_result(run: "Run") -> dict[str, Any]:
    """Return what `train --json` prints."""
    summary = run.summary
    chosen_on_test = summary["validation"] == "test"
    return {
        "run": str(Path(run.path).resolve()),
        "val_accuracy": summary["val_accuracy"],
        "val_balanced_accuracy": summary.get("val_balanced_accuracy"),
        "test_accuracy": summary["val_accuracy"] if chosen_on_test else None,
        "epochs": summary["epochs"],
        "seconds": summary["seconds"],
        "flops": summary["flops"],
    }
