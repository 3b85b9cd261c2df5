"""`rungwise climb`: measure a ladder's rungs over several seeds."""

import contextlib
import shlex
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from rungwise.errors import UsageError
from rungwise.interfaces.cli.options import Output, Place, Switch, choose_device
from rungwise.interfaces.cli.printing import percent, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rungwise.interfaces.cli.watching import Watch
    from rungwise.ladder.climb import Climb, ClimbEvent, ClimbResult, Measured, RungResult
    from rungwise.ladder.comparison import Gain
    from rungwise.ladder.rung import Ladder
    from rungwise.ladder.statistics import Spread

SECONDS_BETWEEN_LINES = 20.0

PROTOCOLS = {
    "sealed": "Protocol: sealed. Gains are measured on validation images held out of the training "
    "set; the test set was opened once, at the end.",
    "article": "Protocol: the article's own. Where validation reads '= test', the test set was "
    "used for choosing.",
}


def climb(
    ladder: str = "digits",
    *,
    data: str | None = None,
    seeds: int = 3,
    rungs: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    epochs: int | None = None,
    protocol: Literal["sealed", "article"] = "sealed",
    dry_run: Switch = False,
    place: Place = Place(),
    output: Output = Output(),
) -> None:
    """Train the rungs of a ladder over several seeds and tell what each was worth.

    What a finished run holds already is not trained again; an interrupted climb goes on.

    Args:
        ladder: A ladder (`rungwise list ladders`), or a data set to climb the general ladder on.
        data: Another data set than the ladder's own.
        seeds: Number of seeds, each with its own draw of subset and validation images.
        rungs: Climb these alone; by default all.
        epochs: Train every rung for so many epochs instead of its own number.
        protocol: `sealed` chooses on validation images and opens the test set once at the end;
            `article` follows the article's own protocol.
        dry_run: Print what would be trained, and train nothing.
    """
    from dataclasses import replace

    from rungwise.data import load
    from rungwise.ladder.climb import Climb
    from rungwise.ladder.presets import find_ladder

    if seeds < 1:
        raise UsageError(
            f"--seeds is {seeds}", expected="1 or more", fix="use for example --seeds 3"
        )
    chosen = find_ladder(ladder).under(protocol)
    if data is not None:
        chosen = chosen.on(data)
    if rungs:
        chosen = chosen.only(rungs)
    if epochs is not None:
        chosen = chosen.changed(lambda recipe: replace(recipe, epochs=epochs))
    device = choose_device(place.device)
    dataset = load(chosen.data, offline=place.offline)
    command = _command(ladder, data, seeds, rungs, epochs, protocol, place)
    work = Climb(chosen, dataset, tuple(range(seeds)), place.out, device, protocol, command)
    if dry_run:
        _print_plan(work, output)
        return
    result = _climb(work, output.quiet)
    if output.json:
        print_json(result.to_dict())
    else:
        _print(result)


def _command(
    ladder: str,
    data: str | None,
    seeds: int,
    rungs: list[str] | None,
    epochs: int | None,
    protocol: str,
    place: Place,
) -> str:
    """Return the command that climbs the same again; `--seeds` stands there even by default."""
    plain = Place()
    options: dict[str, list[str]] = {
        "--data": [data] if data is not None else [],
        "--seeds": [str(seeds)],
        "--rungs": rungs or [],
        "--epochs": [str(epochs)] if epochs is not None else [],
        "--protocol": [protocol] if protocol != "sealed" else [],
        "--out": [str(place.out)] if place.out != plain.out else [],
        "--device": [place.device] if place.device != plain.device else [],
    }
    words = [word for name, values in options.items() if values for word in (name, *values)]
    return shlex.join(["rungwise", "climb", ladder, *words])


def _climb(work: "Climb", quiet: bool) -> "ClimbResult":
    from rungwise.interfaces.cli.interrupts import catching_interrupts
    from rungwise.interfaces.cli.watching import Watch
    from rungwise.ladder.climb import ClimbResult
    from rungwise.report.climb_page import write_climb_report

    with Watch(quiet) as watch, catching_interrupts() as interrupts:
        teller = _Teller(watch, work.ladder)
        with contextlib.closing(work.events()) as events:
            for event in events:
                if isinstance(event, ClimbResult):
                    write_climb_report(event.folder, work.dataset)
                    return event
                teller.tell(event)
                interrupts.check()
    raise AssertionError("a climb ends with its result")


class _Teller:
    """Turns a climb's events into lines and a bar."""

    def __init__(self, watch: "Watch", ladder: "Ladder") -> None:
        from rungwise.interfaces.cli.watching import Clock

        self._watch, self._ladder = watch, ladder
        self._clock = Clock(SECONDS_BETWEEN_LINES)
        self._before = ""

    def tell(self, event: "ClimbEvent") -> None:
        """Print a line when something new begins, and now and then an epoch's accuracy."""
        name = f"{event.rung}, seed {event.seed}: {event.doing}"
        if event.progress is None:
            self._watch.line(name)
            return
        epoch, record = event.progress.epoch, event.progress.record
        epochs = self._ladder.rung(event.rung).recipe.epochs
        self._watch.training_bar(f"{event.rung}, seed {event.seed}, ", event.progress, epochs)
        if name != self._before:
            self._watch.line(name)
        elif record and self._clock.rings():
            accuracy = f", val_acc {record.val_acc:.4f}" if record.val_acc is not None else ""
            self._watch.line(f"{name}, epoch {epoch}{accuracy}")
        self._before = name


def _print_plan(work: "Climb", output: Output) -> None:
    plan = [
        {
            "rung": rung.name,
            "seed": str(job.seed),
            "run": str(job.folder),
            "trained": bool(job.finished()),
        }
        for rung in work.ladder.rungs
        for seed in work.seeds
        for job in work.jobs(rung, seed)
    ]
    if output.json:
        print_json(plan)
        return
    rows = [
        [
            str(row["rung"]),
            str(row["seed"]),
            "found" if row["trained"] else "to train",
            str(row["run"]),
        ]
        for row in plan
    ]
    print_table(["rung", "seed", "", "run"], rows, left=4)


def _print(result: "ClimbResult") -> None:
    article = any(rung.rung.reference is not None for rung in result.rungs)
    names = ["validation", "test", *(["article"] if article else [])]
    rows = [_row(rung, article) for rung in result.rungs]
    count = len(result.seeds)
    print_table(
        ["rung", "change", *names, "over", "gain", "verdict", "seconds", "operations"],
        rows,
        left=2,
        title=f"{result.ladder.title} [{result.data}, {count} seed{'s' if count > 1 else ''}]",
    )
    for note in _notes(result):
        print(note)


def _row(result: "RungResult", article: bool) -> list[str]:
    rung = result.rung
    chosen_on_test = rung.recipe.validation == "test"
    return [
        f"{rung.name} (control)" if rung.control else rung.name,
        rung.change,
        "= test" if chosen_on_test else _accuracy(result.validation),
        _accuracy(result.test),
        *([percent(rung.reference) if rung.reference is not None else ""] if article else []),
        rung.base or "",
        _gain(result.gain) if result.gain else "",
        _verdict(result),
        f"{result.seconds:.1f}",
        f"{result.flops:.2g}",
    ]


def _accuracy(measured: "Sequence[Measured]") -> str:
    from rungwise.ladder.climb import accuracies

    if not measured:
        return "-"
    spread = accuracies(measured)
    return f"{percent(spread.mean)}{_deviation(spread)}"


def _gain(gain: "Gain") -> str:
    if gain.interval is None:
        return f"{100 * gain.mean:+.2f}"
    low, high = gain.interval
    return f"{100 * gain.mean:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _verdict(result: "RungResult") -> str:
    gain = result.gain
    if gain is None or result.verdict != "unclear" or len(gain.values) < 2:
        return result.verdict or ""
    more = gain.further_seeds
    return f"unclear: {more} more seeds" if more else "unclear"


def _deviation(spread: "Spread") -> str:
    return f" ± {100 * spread.std:.2f}" if spread.std is not None else ""


def _notes(result: "ClimbResult") -> list[str]:
    from rungwise.ladder.climb import REPORT_NAME

    notes = [
        "Accuracies: mean over the seeds ± standard deviation. Gains: paired seed by seed, in "
        "percentage points, with a 95% interval for the noise of seeds and of images; verdicts are "
        "corrected for the number of rungs (Holm).",
        PROTOCOLS[result.protocol],
    ]
    if result.earlier_openings:
        notes.append(
            f"The test set had been opened {_times(result.earlier_openings)} before "
            f"({result.folder.parent.parent / 'ledger.jsonl'})."
        )
    if len(result.seeds) == 1:
        notes.append("One seed tells nothing about the spread: take --seeds 3 or more.")
    notes.append(f"Report: {(result.folder / REPORT_NAME).resolve()}")
    return notes


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
