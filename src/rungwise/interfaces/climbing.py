"""`rungwise.climb`: prepare a climb from what a user says, and carry it out.

The command line does the same with the same functions.
"""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch

from rungwise.data import CATALOG, BadFiles, Dataset, load
from rungwise.data.sources.picture import ImageSize
from rungwise.data.sources.survey import Progress
from rungwise.data.spec import parse_spec
from rungwise.errors import UnknownNameError, UsageError
from rungwise.interfaces.mirroring import mirroring_warning
from rungwise.ladder.budget import Budget
from rungwise.ladder.climb import PROBE_SECONDS, Climb, Notice, Watcher
from rungwise.ladder.general import SECONDS, general_ladder
from rungwise.ladder.job import make_job
from rungwise.ladder.presets import LADDERS, find_ladder
from rungwise.ladder.reading import read
from rungwise.ladder.result import ClimbResult
from rungwise.ladder.rung import Ladder, Protocol, Reading
from rungwise.ladder.verdict import SEEDS_AT_LOOKS
from rungwise.report.climb_page import is_drawn, write_climb_report
from rungwise.training.device import choose_device
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

SEEDS = 3


def climb(
    ladder: str | Ladder = "digits",
    *,
    data: str | Dataset | None = None,
    seeds: int | None = None,
    budget: float | None = None,
    reading: Reading = "cumulative",
    rungs: Sequence[str] = (),
    epochs: int | None = None,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    protocol: Protocol = "sealed",
    fit: bool = False,
    fit_seeds: int | None = None,
    out: Path | str = "runs",
    device: str = "auto",
    offline: bool = False,
    watch: Watcher | None = None,
) -> ClimbResult:
    """Measure the rungs of a ladder over several seeds, and write the report.

    What a finished run holds already is not trained again; an interrupted climb goes on. Warns
    (`UserWarning`) if rungs mirror images that look like other classes in a mirror.

    Args:
        ladder: A ladder, its name, or the name of a data set to climb the general ladder on.
        data: Another data set than the ladder's own.
        seeds: Number of seeds, by default 3; with a budget the most that any rung gets, by default
            24.
        budget: Seconds that the whole may take.
        reading: `cumulative`, `add-one` or `leave-one-out`.
        rungs: Names of the rungs to climb; by default all.
        epochs: Train every rung for so many epochs instead of its own number.
        image_size: Side length, or (height, width), that image files are resized to.
        bad_files: `stop` at image files that cannot be read, or `skip` them.
        protocol: `sealed`, or `article` for the article's own way of choosing.
        fit: Whether to fit the best rung's recipe once more, to all training images, and save its
            predictor. Always so with a budget.
        fit_seeds: With how many seeds to fit it, for the spread of its test accuracy; implies
            `fit`.
        out: Folder of all runs.
        device: auto, cpu, cuda or cuda:N.
        offline: Never download a data set.
        watch: Called with each event.

    Raises:
        UsageError: A setting is impossible, a name unknown, or the budget too small for one
            training.
        DataError: The data cannot be used.
        RunError: A training diverges.
        StorageError: The disk is full or the place cannot be written.
    """
    work = prepare_climb(
        ladder,
        data=data,
        seeds=seeds,
        budget=budget,
        reading=reading,
        rungs=rungs,
        epochs=epochs,
        image_size=image_size,
        bad_files=bad_files,
        protocol=protocol,
        fit=fit,
        fit_seeds=fit_seeds,
        out=Path(out),
        device=device,
        offline=offline,
    )
    recipes = (rung.recipe for rung in work.ladder.rungs)
    warning = mirroring_warning(recipes, work.dataset.train)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return carry_out(work, watch)


def prepare_climb(
    ladder: str | Ladder,
    *,
    data: str | Dataset | None,
    seeds: int | None,
    budget: float | None,
    reading: Reading,
    rungs: Sequence[str],
    epochs: int | None,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    protocol: Protocol,
    fit: bool,
    fit_seeds: int | None,
    out: Path,
    device: str,
    offline: bool,
    command: str = "",
    progress: Progress | None = None,
) -> Climb:
    """Return the climb that `climb` carries out; the arguments are the same.

    Args:
        command: What the user wrote on a command line, for the records.
        progress: Called now and then with the number of image files that were read, and of all.
    """
    started = time.monotonic()
    _require_positive("seeds", seeds, "3")
    _require_positive("budget", budget, "1200, which are seconds")
    _require_positive("fit_seeds", fit_seeds, "5")
    if budget is not None and fit_seeds is not None:
        raise UsageError(
            "a budget and a number of seeds to fit are given",
            expected="one of the two: with a budget the best net is fitted once",
            fix="leave out --budget or --fit-seeds",
        )
    if isinstance(data, Dataset) and (image_size is not None or bad_files != "stop"):
        raise UsageError(
            "an image size, or a decision about bad files, is given for a data set that is loaded",
            expected="either in `load`, or with the name of the data",
            fix="give it to `rungwise.load`",
        )
    if protocol not in get_args(Protocol):
        raise UnknownNameError("protocol", protocol, get_args(Protocol))
    place = choose_device(device)

    def loaded(source: str) -> Dataset:
        return load(
            source,
            offline=offline,
            image_size=image_size,
            bad_files=bad_files,
            progress=progress,
        )

    dataset = data if isinstance(data, Dataset) else None
    if isinstance(ladder, str) and _names_data(ladder):
        _require_one_data_set(ladder, data)
        dataset = loaded(ladder)
        chosen = _general_ladder(dataset, budget or SECONDS, out, place)
    else:
        chosen = find_ladder(ladder) if isinstance(ladder, str) else ladder
        if data is not None:
            chosen = chosen.on(data if isinstance(data, str) else data.name)
    chosen = chosen.under(protocol)
    if rungs:
        chosen = chosen.only(rungs)
    if epochs is not None:
        chosen = chosen.changed(lambda recipe: replace(recipe, epochs=epochs))
    chosen, unread = read(chosen, reading)
    dataset = dataset or loaded(chosen.data)
    return Climb(
        ladder=chosen,
        dataset=dataset,
        seeds=tuple(range(seeds or (SEEDS if budget is None else SEEDS_AT_LOOKS[-1]))),
        root=out,
        device=place,
        protocol=protocol,
        command=command,
        budget=None if budget is None else Budget(budget, started),
        fits=fit_seeds or int(fit or budget is not None),
        unread=unread,
    )


def carry_out(work: Climb, watch: Watcher | None) -> ClimbResult:
    """Climb, tell each event to `watch`, write the report if it is to change, and return."""
    result = work.run(watch)
    if is_drawn(result.folder):
        return result
    if watch:
        watch(Notice("everything is measured; the report is written"))
    write_climb_report(result.folder, work.dataset)
    return result


def _general_ladder(dataset: Dataset, seconds: float, out: Path, device: torch.device) -> Ladder:
    probe_seconds = min(PROBE_SECONDS, seconds / 200)

    def likely_seconds(recipe: Recipe) -> float:
        job = make_job(recipe, dataset, Seed(0), out, device)
        return job.recorded_seconds() or job.probe(probe_seconds)

    return general_ladder(dataset, likely_seconds, seconds=seconds)


def _names_data(ladder: str) -> bool:
    """Tell whether a name is a data set's, not a ladder's.

    Raises:
        UnknownNameError: It is neither.
    """
    if ladder in LADDERS:
        return False
    try:
        parse_spec(ladder, CATALOG)
    except UnknownNameError:
        raise UnknownNameError("ladder or data set", ladder, [*LADDERS, *CATALOG]) from None
    return True


def _require_one_data_set(ladder: str, data: str | Dataset | None) -> None:
    if data is not None:
        raise UsageError(
            f"{ladder} names a data set, and other data are given beside it",
            expected="one data set; a ladder's name may be given with other data than its own",
            fix=f"leave {ladder} or the other data out",
        )


def _require_positive(name: str, value: float | None, example: str) -> None:
    if value is not None and not 0 < value < math.inf:
        raise UsageError(
            f"{name} is {value}", expected="more than 0", fix=f"use for example {example}"
        )
