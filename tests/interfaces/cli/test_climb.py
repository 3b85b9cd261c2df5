"""The words around `rungwise climb`: durations, and the command that the report repeats."""

import shlex
from pathlib import Path

import pytest

from rungwise.errors import UsageError
from rungwise.interfaces.cli import climb as verb
from rungwise.interfaces.cli.climb import parse_duration
from rungwise.interfaces.cli.options import Place


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("45", 45), ("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h0m5s", 3605)),
        *((" 2H ", 7200), ("1.5m", 90), ("0.5", 0.5)),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "abc", "0", "0h0m", "-5m", "5x", "m", "1m1h", "1e3", "nan", "inf", "1 h", "1:30"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="such as 90s, 20m or 1h30m"):
        parse_duration(text)


def test_the_command_on_record_says_what_was_set_and_nothing_else() -> None:
    place = Place(out=Path("my runs"), device="cpu")
    unset = {"--data": None, "--seeds": None, "--rungs": None, "--fit": False}
    options = {"--data": "mnist", "--seeds": 2, "--rungs": ["x", "y"], "--epochs": 3}

    plain = verb._command("digits", unset, Place())
    full = verb._command("./a b", {**options, "--fit": True, "--fit-seeds": 5}, place)

    assert plain == "rungwise climb digits"
    assert shlex.split(full) == [
        *("rungwise", "climb", "./a b", "--data", "mnist", "--seeds", "2", "--rungs", "x", "y"),
        *("--epochs", "3", "--fit", "--fit-seeds", "5", "--out", "my runs", "--device", "cpu"),
    ]
