"""`rungwise climb`: measure a ladder's rungs over several seeds."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from rungwise.interfaces.cli.options import BadFiles, Place, Switch, WatchedOutput
from rungwise.interfaces.cli.printing import print_json, print_result, print_table

if TYPE_CHECKING:
    from rungwise.ladder.climb import Climb, Event
    from rungwise.ladder.result import ClimbResult

WITHOUT_TEST = (
    "accuracies are those on the validation images, which choices are made by; --test-share 0.2 "
    "sets a test part aside"
)


def climb(
    ladder: str = "digits",
    *,
    data: str | None = None,
    seeds: int | None = None,
    budget: str | None = None,
    reading: Literal["cumulative", "add-one", "leave-one-out"] = "cumulative",
    rungs: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    epochs: int | None = None,
    image_size: int | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
    protocol: Literal["sealed", "article"] = "sealed",
    fit: Switch = False,
    fit_seeds: int | None = None,
    dry_run: Switch = False,
    place: Place = Place(),
    output: WatchedOutput = WatchedOutput(),
) -> None:
    """Train the rungs of a ladder over several seeds and tell what each was worth.

    What a finished run holds already is not trained again; an interrupted climb goes on.

    Args:
        ladder: A ladder (`rungwise list ladders`), or a data set to climb the general ladder on.
        data: Another data set than the ladder's own.
        seeds: Number of seeds, each with its own draw of subset and validation images; by default
            3. With --budget the most that a rung gets, by default 24.
        budget: The time that the whole may take, such as 90s, 20m or 1h30m: as many rungs and
            seeds as fit are measured, seeds are spent where a verdict is open, and the best
            rung's net is fitted at the end.
        reading: `cumulative` measures each rung on the one it builds on, `add-one` each technique
            alone on the first rung, `leave-one-out` the top rung without each technique.
        rungs: Climb these alone; by default all.
        epochs: Train every rung for so many epochs instead of its own number.
        image_size: Resize the images of a folder or a table to this many pixels a side.
        bad_files: Whether image files that cannot be read are an error, or left out.
        test_share: Set this share of the images aside as a test part, where the data have none.
        protocol: `sealed` chooses on validation images and opens the test set once at the end;
            `article` follows the article's own protocol.
        fit: At the end fit the best rung's recipe to all training images and save the net to use.
        fit_seeds: Fit it with so many seeds, and tell mean and spread of their test accuracies;
            implies --fit. The first seed's is the net to use.
        dry_run: Print what would be trained, about how long it takes and how much memory and disk,
            and train nothing but a few steps.
    """
    from rungwise.interfaces.cli.loading import LoadingBar, tell_notes, warn_of_mirroring
    from rungwise.interfaces.climbing import prepare_climb

    options = {
        "--data": data,
        "--seeds": seeds,
        "--budget": budget,
        "--reading": reading if reading != "cumulative" else None,
        "--rungs": rungs,
        "--epochs": epochs,
        "--image-size": image_size,
        "--bad-files": bad_files if bad_files != "stop" else None,
        "--test-share": test_share,
        "--protocol": protocol if protocol != "sealed" else None,
        "--fit": fit,
        "--fit-seeds": fit_seeds,
    }
    with LoadingBar(output.quiet) as bar:
        work = prepare_climb(
            ladder,
            data=data,
            seeds=seeds,
            budget=budget,
            reading=reading,
            rungs=rungs or (),
            epochs=epochs,
            image_size=image_size,
            bad_files=bad_files,
            test_share=test_share,
            progress=bar,
            protocol=protocol,
            fit=fit,
            fit_seeds=fit_seeds,
            out=place.out,
            device=place.device,
            offline=place.offline,
            command=_command(ladder, options, place),
        )
    tell_notes(work.dataset)
    if work.dataset.test is None:
        print(f"note: {work.dataset.name} has no test part: {WITHOUT_TEST}", file=sys.stderr)
    warn_of_mirroring((rung.recipe for rung in work.ladder.rungs), work.dataset)
    if dry_run:
        _print_plan(work, output)
        return
    result = _climb(work, output.quiet)
    if output.json:
        print_json(result.to_dict())
    else:
        print_result(result)


def _command(ladder: str, options: dict[str, Any], place: Place) -> str:
    """Return the command that climbs the same again; options that are not given are None."""
    plain = Place()
    places = {
        "--out": place.out if place.out != plain.out else None,
        "--device": place.device if place.device != plain.device else None,
    }
    words = ["rungwise", "climb", ladder]
    for name, value in (options | places).items():
        if value is True:
            words.append(name)
        elif value:
            words += [name, *(value if isinstance(value, list) else [str(value)])]
    return shlex.join(words)


def _climb(work: "Climb", quiet: bool) -> "ClimbResult":
    from rungwise.interfaces.cli.climb_watching import watching
    from rungwise.interfaces.cli.interrupts import catching_interrupts
    from rungwise.interfaces.climbing import carry_out

    go_on = "give the same command again: it goes on where it stopped"
    with watching(work, quiet=quiet) as tell, catching_interrupts(go_on) as interrupts:

        def watch(event: "Event") -> None:
            tell(event)
            interrupts.check()

        return carry_out(work, watch)


def _print_plan(work: "Climb", output: WatchedOutput) -> None:
    from rungwise.ladder.numbers import duration
    from rungwise.ladder.plan import plan_of

    plan = plan_of(work)
    if output.json:
        print_json(plan.to_dict())
        return
    rows = [
        [
            rung.name,
            str(rung.trainings),
            str(rung.found),
            duration(rung.seconds_each),
            duration(rung.seconds),
            f"{rung.disk / 1e6:.1f} MB",
        ]
        for rung in plan.rungs
    ]
    names = ["rung", "to train", "found", "each about", "all about", "disk about"]
    print_table(names, rows, title=f"{work.ladder.title} [{work.dataset.name}]")
    print(
        f"In all {plan.trainings} trainings, about {duration(plan.seconds)}, "
        f"{plan.memory / 1e9:.1f} GB of memory, {plan.disk / 1e6:.1f} MB of disk."
    )
    for note in plan.notes:
        print(note)
