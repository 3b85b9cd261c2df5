"""`rungwise.climb`: prepare a climb from what a user says, and carry it out.

The command line does the same with the same functions.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from rungwise.data import CATALOG, BadFiles, Dataset, load
from rungwise.data.resized import identified_like
from rungwise.data.sources.picture import ImageSize
from rungwise.data.sources.survey import Progress
from rungwise.data.spec import as_spec, parse_spec
from rungwise.errors import UnknownNameError, UsageError
from rungwise.host import set_aside
from rungwise.interfaces.mirroring import mirroring_warning
from rungwise.ladder.budget import Budget, seconds_of
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


@set_aside()
def climb(
    ladder: str | Path | Dataset | Ladder = "digits",
    *,
    data: str | Path | Dataset | None = None,
    seeds: int | None = None,
    budget: float | str | None = None,
    reading: Reading = "cumulative",
    rungs: str | Sequence[str] = (),
    epochs: int | None = None,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
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
        ladder: A ladder or its name; or a data set, its name or its path, to climb the general
            ladder on.
        data: Another data set than the ladder's own.
        seeds: Number of seeds, by default 3; with a budget the most that any rung gets, by default
            24.
        budget: The time that the whole may take: seconds, or text such as `20m`.
        reading: `cumulative`, `add-one` or `leave-one-out`.
        rungs: Names of the rungs to climb, or one name; by default all.
        epochs: Train every rung for so many epochs instead of its own number.
        image_size: Side length, or (height, width), that image files are resized to.
        bad_files: `stop` at image files that cannot be read, or `skip` them.
        test_share: Share of the images that is set aside as the test part, where the data have
            none, such as 0.2.
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
        test_share=test_share,
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
        warnings.warn(warning, stacklevel=3)  # Beyond the decorator's frame.
    return carry_out(work, watch)


def prepare_climb(
    ladder: str | Path | Dataset | Ladder,
    *,
    data: str | Path | Dataset | None,
    seeds: int | None,
    budget: float | str | None,
    reading: Reading,
    rungs: str | Sequence[str],
    epochs: int | None,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
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
    seeds, fit_seeds = _whole("seeds", seeds, "3"), _whole("fit_seeds", fit_seeds, "5")
    epochs = _whole("epochs", epochs, "10")
    seconds = None if budget is None else seconds_of(budget)
    if seconds is not None and fit_seeds is not None:
        raise UsageError(
            "a budget and a number of seeds to fit are given",
            expected="one of the two: with a budget the best net is fitted once",
            fix="leave out --budget or --fit-seeds",
        )
    given = ladder if isinstance(ladder, Dataset) else data
    if isinstance(given, Dataset) and (
        image_size is not None or bad_files != "stop" or test_share is not None
    ):
        raise UsageError(
            "an image size, a test share, or a decision about bad files, is given for a data set "
            "that is loaded",
            expected="either in `load`, or with the name of the data",
            fix="give it to `rungwise.load`",
        )
    if protocol not in get_args(Protocol):
        raise UnknownNameError("protocol", protocol, get_args(Protocol))
    place = choose_device(device)

    def loaded(source: str, size: ImageSize | None = image_size) -> Dataset:
        return load(
            source,
            offline=offline,
            image_size=size,
            bad_files=bad_files,
            test_share=test_share,
            progress=progress,
        )

    dataset = given if isinstance(given, Dataset) else None
    wanted = ladder if isinstance(ladder, Ladder | Dataset) else as_spec(ladder)
    if isinstance(wanted, Dataset) or (isinstance(wanted, str) and _names_data(wanted)):
        _require_one_data_set(wanted, data)
        dataset = wanted if isinstance(wanted, Dataset) else loaded(wanted)
        chosen = _general_ladder(dataset, seconds or SECONDS, out, place)
    else:
        chosen = find_ladder(wanted) if isinstance(wanted, str) else wanted
        if data is not None:
            chosen = chosen.on(data.name if isinstance(data, Dataset) else as_spec(data))
    chosen = chosen.under(protocol)
    if rungs:
        chosen = chosen.only([rungs] if isinstance(rungs, str) else rungs)
    if epochs is not None:
        chosen = chosen.changed(lambda recipe: replace(recipe, epochs=epochs))
    sizes = {rung.image_size for rung in chosen.rungs if rung.image_size is not None}
    if sizes:
        _require_sizes_can_differ(data, reading)
    chosen, unread = read(chosen, reading)
    dataset = dataset or loaded(chosen.data)
    return Climb(
        ladder=chosen,
        dataset=dataset,
        seeds=tuple(range(seeds or (SEEDS if seconds is None else SEEDS_AT_LOOKS[-1]))),
        root=out,
        device=place,
        protocol=protocol,
        command=command,
        budget=None if seconds is None else Budget(seconds, started),
        fits=fit_seeds or int(fit or seconds is not None),
        unread=unread,
        resized={size: identified_like(loaded(chosen.data, size), dataset) for size in sizes},
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


def _require_one_data_set(first: str | Dataset, data: str | Path | Dataset | None) -> None:
    if data is not None:
        name = first if isinstance(first, str) else first.name
        raise UsageError(
            f"{name} is a data set, and other data are given beside it",
            expected="one data set; a ladder's name may be given with other data than its own",
            fix=f"leave {name} or the other data out",
        )


def _require_sizes_can_differ(data: "Dataset | Path | str | None", reading: Reading) -> None:
    """Refuse rungs at sizes of their own where images cannot be loaded again, or be read so."""
    if isinstance(data, Dataset):
        raise UsageError(
            "a rung names an image size, and the data set is loaded",
            expected="the name of the data, which are loaded at each size",
            fix="give the folder or the table instead of the data set",
        )
    if reading != "cumulative":
        raise UsageError(
            f"a rung names an image size, which the reading {reading!r} cannot move",
            expected="the reading 'cumulative'",
            fix="leave the reading out",
        )


def _whole(name: str, value: Any, example: str) -> int | None:
    """Return a number that counts something; NumPy's whole numbers are such, too."""
    if value is None:
        return None
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise UsageError(
            f"{name} is {value!r}",
            expected="a whole number of 1 or more",
            fix=f"use for example {example}",
        )
    return int(value)
