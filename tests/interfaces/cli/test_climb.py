"""The words around `rungwise climb`: the command that the report repeats."""

import shlex
from pathlib import Path

from rungwise.interfaces.cli import climb as verb
from rungwise.interfaces.cli.options import Place


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
