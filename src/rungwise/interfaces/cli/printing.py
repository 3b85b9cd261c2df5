"""How figures are written on stdout."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rungwise.ladder.result import ClimbResult


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    print(json.dumps(value, ensure_ascii=False))


def print_table(header: list[str], rows: list[list[str]], left: int = 1, title: str = "") -> None:
    """Print rows under a header; the first `left` columns are set left, the others right."""
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    # Without a terminal the width is unknown: lines are as long as the table is wide.
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=400)
    if title:
        console.print(title, style="bold")
    console.print(table)


def print_result(result: "ClimbResult") -> None:
    """Print a climb's table, what has to be said of it, and where its report lies."""
    from rungwise.ladder.table import header, notes, rows, title

    print_table(header(result), rows(result), left=2, title=title(result))
    for note in notes(result):
        print(note)
    print(f"Report: {result.report.resolve()}")
