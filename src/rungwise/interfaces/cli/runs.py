"""`rungwise runs`: list and remove stored runs."""

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App, Parameter

from rungwise.errors import RunError, RungwiseError, UsageError
from rungwise.interfaces.cli.options import Switch
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import percent

if TYPE_CHECKING:
    from rungwise.ladder.store import StoredRun

runs = App(name="runs", help="List and remove stored runs.", result_action="return_none")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of the stored runs; all that is given must fit."""

    out: Path = Path("runs")
    """Folder of all runs."""
    data: str | None = None
    """Only runs on this data set."""
    recipe: str | None = None
    """Only runs of the recipe of this name."""
    status: Literal["finished", "unfinished", "damaged", "aside"] | None = None
    """Only runs in this state; `aside` is what was found damaged and set aside."""

    @property
    def narrows(self) -> bool:
        """Whether anything but the place is given."""
        return any(value is not None for value in (self.data, self.recipe, self.status))

    def of(self, stored: "Sequence[StoredRun]") -> "list[StoredRun]":
        """Return those that fit; the files of a run are read only if its names fit."""
        from rungwise.ladder.run import slug

        return [
            run
            for run in stored
            if (self.data is None or run.data == slug(self.data))
            and (self.recipe is None or run.recipe == self.recipe)
            and (self.status is None or run.state.status == self.status)
        ]


EVERYTHING = Selection()


@runs.command(name="list")
def list_runs(*, selection: Selection = EVERYTHING, json: Switch = False) -> None:
    """List the stored runs: what they are, whether they are whole, and what they take on disk.

    Finished runs that were copied to another place are listed with --out PLACE, too.

    Args:
        json: Print the runs as one JSON value on stdout.
    """
    from rungwise.ladder.store import copied_runs, stored_runs

    stored = stored_runs(selection.out) + copied_runs(selection.out)
    _print_runs(selection.of(stored), _nothing(selection, stored), json)


@runs.command
def remove(
    *run: Path,
    selection: Selection = EVERYTHING,
    dry_run: Switch = False,
    yes: Switch = False,
    json: Switch = False,
) -> None:
    """Remove stored runs: the folders given, or all that the options select.

    With both, those of the folders that the options select. The records of climbs, stored
    predictions and the ledger of openings of the test set stay.

    Args:
        run: Folders of runs, as `rungwise runs list` shows them.
        dry_run: List what would be removed, and remove nothing.
        yes: Do not ask.
        json: Print the result as one JSON value on stdout.
    """
    from rungwise.ladder.store import stored_run, stored_runs

    if not run and not selection.narrows:
        raise UsageError(
            "nothing says which runs to remove",
            expected="folders of runs, or --data, --recipe or --status",
            fix="`rungwise runs list` shows what is there; try the options with --dry-run first",
        )
    stored = [stored_run(path) for path in run] if run else stored_runs(selection.out)
    chosen = selection.of(list({one.path.resolve(): one for one in stored}.values()))
    if dry_run:
        _print_runs(chosen, _nothing(selection, stored), json)
    elif not chosen and not json:
        print(_nothing(selection, stored))
    else:
        _remove(chosen if yes or not chosen or _agreed(chosen) else [], json)


def _nothing(selection: Selection, stored: "Sequence[StoredRun]") -> str:
    """Say why there is nothing to list, and which names there are."""
    if not stored:
        return f"no runs in {selection.out} yet: `rungwise train` or `rungwise climb` makes them"
    data = ", ".join(sorted({run.data for run in stored}))
    recipes = ", ".join(sorted({run.recipe for run in stored}))
    return f"none of {_count(stored)} fits; there are runs on {data}, of the recipes {recipes}"


def _agreed(chosen: "Sequence[StoredRun]") -> bool:
    """Show what is to be removed and ask.

    Raises:
        UsageError: There is nobody to ask.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"nobody can be asked whether to remove {_total(chosen)}",
            expected="a terminal, or the decision in the command",
            fix="add --yes to remove without being asked, or --dry-run to see what that would be",
        )
    for run in chosen:
        print(f"{_path(run)}  {run.state.status}", file=sys.stderr)
    print(f"remove {_total(chosen)}? [y/N] ", end="", file=sys.stderr, flush=True)
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not agreed:
        print("nothing is removed", file=sys.stderr)
    return agreed


def _remove(chosen: "Sequence[StoredRun]", as_json: bool) -> None:
    """Remove what can be removed, say what was, and fail if something was left.

    Raises:
        RungwiseError: A run is being trained, has changed or cannot be removed.
    """
    from rungwise.ladder.store import remove as remove_run

    removed: list[StoredRun] = []
    left: dict[str, RungwiseError] = {}
    for run in chosen:
        sized = run.state  # looked at before it is gone
        try:
            remove_run(run)
        except RungwiseError as error:
            left[str(run.path)] = error
            continue
        removed.append(run)
        if not as_json:
            print(f"removed {_path(run)}  {_size(sized.size)}")
    if as_json:
        print_json(
            {
                "removed": [str(run.path) for run in removed],
                "left": [{"run": path, "problem": str(e.problem)} for path, e in left.items()],
                "bytes": _bytes(removed),
            }
        )
    elif len(removed) > 1:
        print(f"{_total(removed)} removed")
    if left:
        raise _left(list(left.values()))


def _left(errors: list[RungwiseError]) -> RungwiseError:
    if len(errors) == 1:
        return errors[0]
    return RunError(
        "\n  ".join([f"{len(errors)} runs were left:", *(error.problem for error in errors)]),
        expected="; ".join(sorted({error.expected for error in errors if error.expected})),
        fix="; ".join(sorted({error.fix for error in errors if error.fix})),
    )


def _print_runs(stored: "Sequence[StoredRun]", nothing: str, as_json: bool) -> None:
    if as_json:
        print_json([_row(run) for run in stored])
    elif not stored:
        print(nothing)
    else:
        header = ["run", "data", "recipe", "seed", "status"]
        header += ["validation", "epochs", "seconds", "size", "when"]
        spare = ("recipe", "data", "seed", "epochs", "when", "seconds", "size", "validation")
        print_table(header, [_cells(run) for run in stored], left=5, spare=spare)
        for run in stored:
            if run.state.problem:
                print(run.state.problem)
        print(_total(stored))


def _row(run: "StoredRun") -> dict[str, Any]:
    state = run.state
    return {
        "run": str(run.path),
        "data": run.data,
        "recipe": run.recipe,
        "seed": str(run.seed),
        "status": state.status,
        "problem": state.problem,
        "val_accuracy": state.val_accuracy,
        "epochs": state.epochs,
        "seconds": state.seconds,
        "bytes": state.size,
        "changed": state.changed.isoformat(timespec="seconds"),
    }


def _cells(run: "StoredRun") -> list[str]:
    state = run.state
    return [
        _path(run),
        run.data,
        run.recipe,
        str(run.seed),
        state.status,
        "-" if state.val_accuracy is None else percent(state.val_accuracy),
        "-" if state.epochs is None else str(state.epochs),
        "-" if state.seconds is None else f"{state.seconds:.1f}",
        _size(state.size),
        f"{state.changed.astimezone():%Y-%m-%d %H:%M}",
    ]


def _path(run: "StoredRun") -> str:
    """Return a run's path so that it can be pasted into a shell."""
    return shlex.quote(str(run.path))


def _count(stored: "Sequence[StoredRun]") -> str:
    return f"{len(stored):,} run{'' if len(stored) == 1 else 's'}"


def _bytes(stored: "Sequence[StoredRun]") -> int:
    return sum(run.state.size for run in stored)


def _total(stored: "Sequence[StoredRun]") -> str:
    return f"{_count(stored)}, {_size(_bytes(stored))}"


def _size(count: int) -> str:
    """Write a number of bytes.

    >>> _size(999), _size(1_234), _size(12_345_678), _size(5 * 10**12)
    ('999 B', '1.2 kB', '12.3 MB', '5000.0 GB')
    """
    if count < 1000:
        return f"{count} B"
    power = min(3, int(math.log10(count)) // 3)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"
