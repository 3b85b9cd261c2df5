"""Tables on terminals of any width."""

from typing import Any

import pytest
from rich.console import Console

from rungwise.interfaces.cli import printing

HEADER = ["run", "data", "size"]
ROWS = [["runs/digits/a", "digits", "12 kB"], ["runs/digits/bc", "digits", "1 kB"]]


def printed(monkeypatch: pytest.MonkeyPatch, capsys: Any, width: int) -> list[str]:
    terminal = Console(force_terminal=True, width=width, no_color=True, highlight=False)
    monkeypatch.setattr(printing, "Console", lambda **settings: terminal)
    printing.print_table(HEADER, ROWS, left=2, spare=("size", "data"))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_wide_terminal_shows_everything(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    lines = printed(monkeypatch, capsys, 40)

    assert lines[-1] == "runs/digits/bc  digits   1 kB"
    assert not any("wider terminal" in line for line in lines)


@pytest.mark.parametrize(
    ("width", "last_row", "missing"),
    [(28, "runs/digits/bc  digits", "size"), (20, "runs/digits/bc", "data, size")],
)
def test_a_narrow_terminal_leaves_columns_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, width: int, last_row: str, missing: str
) -> None:
    lines = printed(monkeypatch, capsys, width)

    assert last_row in lines
    told = " ".join(line.strip("\x1b[0m2").strip() for line in lines[lines.index(last_row) + 1 :])
    assert missing in told.replace("\x1b[0m", "").replace("\x1b[2m", "")


def test_without_a_terminal_no_column_is_left_out(capsys: Any) -> None:
    printing.print_table(HEADER, ROWS, spare=("size", "data"))

    assert "12 kB" in capsys.readouterr().out
