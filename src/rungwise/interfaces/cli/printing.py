"""How figures are written on stdout."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rungwise.ladder.result import ClimbResult


def print_json(value: Any) -> None:
    """Print one JSON value on one line; in ASCII where stdout cannot take all characters."""
    print(_json(value))


def print_json_list(values: Iterable[Any]) -> None:
    """Print what `print_json` prints of a list, which need not be in memory as a whole."""
    print("[", end="")
    for place, value in enumerate(values):
        print(", " if place else "", _json(value), sep="", end="")
    print("]")


def _json(value: Any) -> str:
    takes_all = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(value, ensure_ascii=not takes_all)


def print_table(
    header: list[str],
    rows: list[list[str]],
    left: int = 1,
    title: str = "",
    spare: tuple[str, ...] = (),
) -> None:
    """Print rows under a header; the first `left` columns are set left, the others right.

    Args:
        header: Names of the columns.
        rows: The cells.
        left: How many columns hold words.
        title: A line above.
        spare: Columns that are left out, the first one first, where the terminal is too narrow.
    """
    console = Console(highlight=False, markup=False)
    # Without a terminal the width is unknown: lines are as long as the table is wide.
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=400)
    shown = _columns_that_fit(header, rows, console.width, spare)
    table = Table(box=None, pad_edge=False)
    for index in shown:
        table.add_column(
            header[index], justify="left" if index < left else "right", overflow="fold"
        )
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    if title:
        console.print(title, style="bold")
    console.print(table)
    if len(shown) < len(header):
        missing = ", ".join(name for index, name in enumerate(header) if index not in shown)
        console.print(f"(a wider terminal shows also: {missing})", style="dim")


def _columns_that_fit(
    header: list[str], rows: list[list[str]], width: int, spare: tuple[str, ...]
) -> list[int]:
    widths = [max(map(len, column)) + 2 for column in zip(header, *rows, strict=True)]
    shown = list(range(len(header)))
    for name in spare:
        if sum(widths[index] for index in shown) - 2 <= width:
            break
        shown = [index for index in shown if header[index] != name]
    return shown


def print_result(result: "ClimbResult") -> None:
    """Print a climb's table, what has to be said of it, and where its report lies."""
    from rungwise.ladder.table import header, notes, rows, title

    spare = ("operations", "change", "seconds", "seeds", "article", "over")
    print_table(header(result), rows(result), left=2, title=title(result), spare=spare)
    for note in notes(result):
        print(note)
    print(f"Report: {result.report.resolve()}")
