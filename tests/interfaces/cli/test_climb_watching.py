"""What a climb tells while it goes on: a table on a terminal, lines elsewhere, nothing if quiet."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from rich.live import Live

from rungwise.data import load
from rungwise.interfaces.cli.climb_watching import Board, LiveTable, PlainLines, watching
from rungwise.ladder.budget import Budget
from rungwise.ladder.climb import Climb, ClimbEvent, Event, Notice, RungMeasured
from rungwise.ladder.presets import find_ladder
from rungwise.ladder.rung import Rung
from rungwise.techniques import EpochRecord
from rungwise.training.loop import Progress
from rungwise.training.seed import Seed

RUNGS = ("dense", "cnn", "compact")


class Clock:
    """Time as the tests want it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Hold the time."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock.monotonic)
    return clock


@pytest.fixture
def work(tmp_path: Path) -> Climb:
    """Return a climb of three rungs with two seeds that nobody has begun."""
    ladder = find_ladder("digits").only(RUNGS)
    return Climb(ladder, load("digits"), (0, 1), tmp_path, torch.device("cpu"))


def terminal(height: int = 24, width: int = 80) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, highlight=False
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def shown(work: Climb, *events: Event, height: int = 24, width: int = 80) -> list[str]:
    """Return the lines of the table after the events."""
    console = terminal(height, width)
    live = Live(console=console, auto_refresh=False)
    table = LiveTable(work, live)
    for event in events:
        table.tell(event)
    lines = console.render_lines(live.renderable, pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def step(rung: str, seed: int = 0, epoch: int = 1, *, ends: bool = False) -> ClimbEvent:
    """Return the fifth of ten steps of an epoch of 30, or the tenth."""
    record = EpochRecord(epoch, 0.5, 0.9, 0.6, 0.875, 0.1, 2.0) if ends else None
    number = 10 if ends else 5
    progress = Progress(epoch, number, 10, record, 10 * (epoch - 1) + number, 300)
    return ClimbEvent(rung, Seed(seed), "trains", progress, 30)


def plain(*events: Event) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    lines = PlainLines(console)
    for event in events:
        lines.tell(event)
    return written(console).splitlines()


def test_a_row_tells_of_each_rung_what_is_done_and_what_is_going_on(
    work: Climb, clock: Clock
) -> None:
    lines = shown(
        work,
        RungMeasured("dense", Seed(0), 0.9),
        RungMeasured("dense", Seed(1), 0.92),
        RungMeasured("cnn", Seed(0), 0.95),
        ClimbEvent("cnn", Seed(1), "predicts the validation images"),
    )

    assert lines == [
        "rung      seeds   validation  state",
        "dense    2 of 2       91.00%  done",
        "cnn      1 of 2  best 95.00%  seed 1 predicts the validation images",
        "compact  0 of 2            -  waiting",
        "0s used, 0 trainings done",
    ]


def test_a_training_shows_its_epoch_and_a_bar(work: Climb) -> None:
    board = Board(work)
    board.note(step("cnn", seed=1, epoch=16))
    console = Console(file=io.StringIO(), width=80)

    console.print(board.table(room=9))

    row = written(console).splitlines()[2]
    # 15.5 of 30 epochs are 5 of 10 cells; without colours the others stay empty.
    assert row.split("-")[1].strip() == "━━━━━      seed 1, epoch 16 of 30"


def test_steps_are_drawn_four_times_a_second_at_most(
    work: Climb, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, drawn = Live(console=terminal(), auto_refresh=False), 0
    table = LiveTable(work, live)

    def count(*args: object) -> None:
        nonlocal drawn
        drawn += 1

    monkeypatch.setattr(live, "update", count)
    for epoch in range(1, 101):
        clock.now += 0.01
        table.tell(step("dense", epoch=epoch))

    assert drawn in (3, 4)


def test_of_more_rungs_than_lines_those_around_the_present_one_are_shown(
    work: Climb, clock: Clock
) -> None:
    first = work.ladder.rungs[0]
    rungs = tuple(
        Rung(recipe=replace(first.recipe, name=f"rung-{index}"), change="") for index in range(12)
    )
    work.ladder = replace(work.ladder, rungs=rungs)
    event = ClimbEvent("rung-6", Seed(0), "predicts the validation images")

    for height in (24, 16, 10, 6):
        lines = shown(work, event, height=height)
        assert len(lines) < height
        assert any("predicts" in line for line in lines)
        assert lines[-1] == "0s used, 0 trainings done"
    assert [line.split()[0] for line in lines[1:-1]] == ["rung-5", "rung-6", "10"]
    assert len(shown(work, event)) == 1 + 12 + 1


def test_no_line_is_wider_than_the_terminal(work: Climb, clock: Clock) -> None:
    waits = ClimbEvent("compact", Seed(12, 3), "waits for another process that trains it")
    measured = [RungMeasured(name, Seed(0), 0.9) for name in RUNGS]

    for width in (80, 60, 50):
        for last in (waits, step("compact", 12)):
            lines = shown(work, *measured, last, width=width)
            assert len(lines) == 1 + len(RUNGS) + 1
            assert max(map(len, lines)) <= width
    assert shown(work, *measured, waits, width=60)[3].endswith("…")


def test_under_a_budget_seeds_are_counted_and_the_time_ends_with_it(
    work: Climb, clock: Clock
) -> None:
    work.budget = Budget(600.0, started=clock.now - 60)

    lines = shown(work, RungMeasured("dense", Seed(0), None))

    assert lines[1].split() == ["dense", "1", "-", "measured"]
    assert lines[-1] == "1m used, about 9m left, 0 trainings done"


def test_the_time_line_goes_on_between_two_drawings(work: Climb, clock: Clock) -> None:
    work.budget = Budget(60.0, started=clock.now)
    console = terminal()
    live = Live(console=console, auto_refresh=False)
    LiveTable(work, live)

    clock.now += 15

    assert work.seconds_left() == 45
    last = console.render_lines(live.renderable)[-1]
    assert "".join(segment.text for segment in last).startswith("15s used, about 45s left")


def test_the_net_that_is_fitted_at_the_end_has_a_row_while_it_is(work: Climb, clock: Clock) -> None:
    fitting = ClimbEvent("final cnn", Seed(0), "waits")

    assert shown(work, fitting)[4] == "final cnn  0 of 1           -  seed 0 waits"
    assert not any("final" in line for line in shown(work, fitting, Notice("no time was left")))


def test_what_is_chosen_on_test_images_is_not_called_validation(work: Climb, clock: Clock) -> None:
    work.ladder = work.ladder.changed(lambda recipe: replace(recipe, validation="test"))

    assert shown(work)[0].split() == ["rung", "seeds", "test", "state"]


def test_notices_stay_above_the_table_and_the_table_goes(work: Climb) -> None:
    console = terminal()
    waits = ClimbEvent("dense", Seed(0), "waits for another process", notable=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        table = LiveTable(work, live)
        for event in (Notice("budget [20m]: fits"), waits, waits, step("dense")):
            table.tell(event)
            live.refresh()

    text = written(console)
    assert text.count("budget [20m]: fits\n") == 1
    assert text.count("dense, seed 0: waits for another process\n") == 1
    erased = "\x1b[1A\x1b[2K" * (1 + len(RUNGS) + 1)
    assert text.endswith(f"\x1b[?25h\r{erased}")


def test_elsewhere_a_line_tells_what_begins_and_at_times_how_it_goes(clock: Clock) -> None:
    told: list[Event] = [
        Notice("budget 20m"),
        ClimbEvent("dense", Seed(0), "waits", notable=True),
        ClimbEvent("dense", Seed(0), "waits", notable=True),
        step("dense"),
        step("dense", ends=True),
        RungMeasured("dense", Seed(0), 0.9),
    ]
    lines = ["budget 20m", "dense, seed 0: waits", "dense, seed 0: trains"]

    assert plain(*told) == lines


def test_elsewhere_an_epoch_is_told_once_in_twenty_seconds(clock: Clock) -> None:
    console = Console(file=io.StringIO(), width=80)
    lines = PlainLines(console)
    for epoch in range(1, 31):
        lines.tell(step("dense", epoch=epoch, ends=True))
        clock.now += 1

    assert written(console).splitlines() == [
        "dense, seed 0: trains",
        "dense, seed 0: trains, epoch 21, val_acc 0.8750",
    ]


@pytest.mark.parametrize(
    ("quiet", "terminal", "kind", "expected"),
    [
        (False, False, "xterm", "a notice\n"),
        (True, False, "xterm", ""),
        (True, True, "xterm", ""),
        (False, True, "dumb", "a notice\n"),
    ],
)
def test_where_stderr_goes_decides_on_the_form(
    work: Climb,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    quiet: bool,
    terminal: bool,
    kind: str,
    expected: str,
) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)

    with watching(work, quiet=quiet) as tell:
        tell(Notice("a notice"))

    assert capsys.readouterr() == ("", expected)


def test_on_a_terminal_the_table_is_drawn_on_stderr_alone(
    work: Climb, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    with pytest.raises(KeyboardInterrupt), watching(work, quiet=False) as tell:
        tell(ClimbEvent("dense", Seed(0), "predicts the validation images"))
        raise KeyboardInterrupt

    out, err = capsys.readouterr()
    assert out == ""
    assert "dense" in err
    assert "\x1b[?25h" in err  # The cursor is visible again.
