"""How figures are written on stdout."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    print(json.dumps(value, ensure_ascii=False))


def percent(share: float) -> str:
    """Write a share of 0..1 as a percentage.

    >>> percent(0.98765)
    '98.77%'
    """
    return f"{100 * share:.2f}%"


def print_table(header: list[str], rows: list[list[str]], left: int = 1, title: str = "") -> None:
    """Print rows under a header; the first `left` columns are set left, the others right."""
    table = Table(
        title=title or None, box=None, pad_edge=False, title_justify="left", title_style="bold"
    )
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    # Without a terminal the width is unknown: lines are as long as the table is wide.
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=400)
    console.print(table)
