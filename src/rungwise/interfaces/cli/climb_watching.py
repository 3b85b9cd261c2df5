"""A climb's progress on stderr: a live table on a terminal, plain lines elsewhere."""

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rungwise.interfaces.cli.watching import Clock
from rungwise.ladder.climb import Climb, ClimbEvent, Event, Notice, RungMeasured, Watcher
from rungwise.ladder.numbers import counted, duration, percent

SECONDS_BETWEEN_LINES = 20.0
REFRESHES_PER_SECOND = 4
BAR_CELLS = 10
LINES_AROUND_ROWS = 4
"""The header, the line of rows left out, the line below the table, and one to spare."""


@contextlib.contextmanager
def watching(work: Climb, *, quiet: bool) -> Iterator[Watcher]:
    """Yield what tells of the climb's events, in the form that fits where stderr goes."""
    console = Console(stderr=True, highlight=False, emoji=False, quiet=quiet)
    if quiet or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield PlainLines(console).tell
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True) as live:
        yield LiveTable(work, live).tell


class PlainLines:
    """Prints a line when something new begins, and now and then an epoch's accuracy."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = Clock(SECONDS_BETWEEN_LINES)
        self._before = ""

    def tell(self, event: Event) -> None:
        """Print a line if there is news."""
        if isinstance(event, Notice):
            _print_line(self._console, event.text)
        elif isinstance(event, ClimbEvent):
            self._tell_step(event)

    def _tell_step(self, event: ClimbEvent) -> None:
        told = _sentence(event)
        record = event.progress.record if event.progress else None
        if told != self._before:
            _print_line(self._console, told)
        elif record and self._clock.rings():
            accuracy = f", val_acc {record.val_acc:.4f}" if record.val_acc is not None else ""
            _print_line(self._console, f"{told}, epoch {record.epoch}{accuracy}")
        self._before = told


class LiveTable:
    """Draws a table of the rungs, and prints above it what is to be read later too."""

    def __init__(self, work: Climb, live: Live) -> None:
        self._work, self._live = work, live
        self._board = Board(work)
        self._started = work.budget.started if work.budget else time.monotonic()
        self._clock = Clock(1 / REFRESHES_PER_SECOND)
        self._before = ""
        self._draw()

    def tell(self, event: Event) -> None:
        """Take note of the event; of the many steps of a training a few are drawn."""
        self._print_above(event)
        self._board.note(event)
        is_step = isinstance(event, ClimbEvent) and event.progress is not None
        if self._clock.rings() or not is_step:
            self._draw()

    def _print_above(self, event: Event) -> None:
        if isinstance(event, Notice):
            _print_line(self._live.console, event.text)
        elif isinstance(event, ClimbEvent):
            told = _sentence(event)
            if event.notable and told != self._before:
                _print_line(self._live.console, told)
            self._before = told

    def _draw(self) -> None:
        room = self._live.console.height - LINES_AROUND_ROWS
        self._live.update(Group(self._board.table(room), TimeLine(self._work, self._started)))


def _print_line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)


def _sentence(event: ClimbEvent) -> str:
    return f"{event.rung}, seed {event.seed}: {event.doing}"


@dataclass
class Row:
    """What is known of a rung.

    Args:
        name: The rung's.
        seeds: With how many it is to be measured; None where a budget decides.
        accuracies: For each seed that is measured, of 0..1; None where nothing was held out.
    """

    name: str
    seeds: int | None
    accuracies: list[float | None] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds that are measured; minus infinity without any."""
        known = [accuracy for accuracy in self.accuracies if accuracy is not None]
        return sum(known) / len(known) if known else -math.inf

    @property
    def count(self) -> str:
        """Seeds that are measured, of how many where that is known."""
        done = len(self.accuracies)
        return f"{done} of {self.seeds}" if self.seeds is not None else str(done)

    @property
    def state_at_rest(self) -> str:
        """How the rung stands while another one is worked on."""
        if not self.accuracies:
            return "waiting"
        return "done" if len(self.accuracies) == self.seeds else "measured"


class Board:
    """The rungs of a climb in rows, and which of them is worked on."""

    def __init__(self, work: Climb) -> None:
        seeds = None if work.budget else len(work.seeds)
        self._rows = {rung.name: Row(rung.name, seeds) for rung in work.ladder.rungs}
        on_test = all(rung.recipe.validation == "test" for rung in work.ladder.rungs)
        self._images = "test" if on_test else "validation"
        self._now: ClimbEvent | None = None

    def note(self, event: Event) -> None:
        """Take an event into the rows."""
        if isinstance(event, RungMeasured):
            self._rows[event.rung].accuracies.append(event.accuracy)
        self._now = event if isinstance(event, ClimbEvent) else None

    def table(self, room: int) -> Table:
        """Return the table, with at most `room` rows: of more, those around the present one."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("rung", no_wrap=True)
        table.add_column("seeds", justify="right", no_wrap=True)
        table.add_column(self._images, justify="right", no_wrap=True)
        table.add_column("state")
        rows = self._all_rows()
        shown = self._around_now(rows, max(1, room))
        best = max(rows, key=lambda row: row.mean)
        for row in shown:
            table.add_row(*self._cells(row, row is best), style=self._style(row))
        if len(shown) < len(rows):
            table.add_row(counted(len(rows) - len(shown), "further rung"), style="dim")
        return table

    def _all_rows(self) -> list[Row]:
        """Return the rungs, and after them the net that is fitted at the end while it is."""
        fitted = [Row(self._now.rung, 1)] if self._now and self._now.rung not in self._rows else []
        return [*self._rows.values(), *fitted]

    def _around_now(self, rows: Sequence[Row], room: int) -> Sequence[Row]:
        wanted = (index for index, row in enumerate(rows) if self._is_now(row))
        first = max(0, min(next(wanted, 0) - room // 2, len(rows) - room))
        return rows[first : first + room]

    def _is_now(self, row: Row) -> bool:
        return self._now is not None and self._now.rung == row.name

    def _cells(self, row: Row, is_best: bool) -> list[RenderableType]:
        accuracy = "-" if row.mean == -math.inf else percent(row.mean)
        best = "best " if is_best and accuracy != "-" else ""
        state = _doing(self._now) if self._now and self._is_now(row) else row.state_at_rest
        return [Text(row.name), row.count, f"{best}{accuracy}", state]

    def _style(self, row: Row) -> str:
        if self._is_now(row):
            return "bold"
        return "" if row.accuracies else "dim"


def _doing(event: ClimbEvent) -> RenderableType:
    """Return the work in hand on one line, that of a training with a bar."""
    progress = event.progress
    if progress is None:
        return _cut(f"seed {event.seed} {event.doing}")
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=progress.steps_in_all,
        completed=progress.steps_done,
        width=BAR_CELLS,
    )
    line.add_row(bar, _cut(f"seed {event.seed}, epoch {progress.epoch} of {event.epochs}"))
    return line


def _cut(text: str) -> Text:
    """Return a line that is cut where there is no room for it."""
    return Text(text, no_wrap=True, overflow="ellipsis")


class TimeLine:
    """The line below the table; its times go on between two drawings."""

    def __init__(self, work: Climb, started: float) -> None:
        self._started, self._now = started, time.monotonic()
        self._left = work.seconds_left()
        trained, total = work.outlook.trained, work.outlook.trained + work.outlook.left
        # How many there will be is not known under a budget, nor before the climb has begun.
        known = work.budget is None and total > 0
        of_all = f"{trained} of {counted(total, 'training')}"
        self._done = f"{of_all if known else counted(trained, 'training')} done"

    def __rich__(self) -> Text:
        """Return the line as it is now."""
        now = time.monotonic()
        left = (self._left or 0.0) - (now - self._now)
        about = [f"about {duration(left)} left"] if left > 0 else []
        return _cut(", ".join([f"{duration(now - self._started)} used", *about, self._done]))
