"""`rungwise show ladder`: what a ladder is for, what was measured of it, and its rungs."""

from pathlib import Path
from typing import Any

import pytest

from rungwise.ladder.presets import LADDERS


@pytest.mark.parametrize("name", LADDERS)
def test_every_ladder_tells_its_command_and_its_rungs(rungwise: Any, here: Path, name: str) -> None:
    ladder = LADDERS[name]
    result = rungwise("show", "ladder", name)

    lines = result.out.splitlines()
    assert (result.code, lines[0]) == (0, f"{ladder.title} [{ladder.data}]")
    assert f"`rungwise climb {name}" in ladder.about and ladder.about in result.out
    shown = [line.split() for line in lines[-len(ladder.rungs) :]]
    assert [words[0] for words in shown] == [rung.name for rung in ladder.rungs]


def test_the_articles_accuracies_have_a_column_where_there_are_some(
    rungwise: Any, here: Path
) -> None:
    header, *_, last = rungwise("show", "ladder", "mnist-1000").out.splitlines()[-4:]
    assert (header.split(), last.split()[-1]) == (["rung", "over", "change", "article"], "90.55%")
    header, *_ = rungwise("show", "ladder", "mnist/best").out.splitlines()[-5:]
    assert header.split() == ["rung", "over", "change"]


def test_as_json_and_with_a_wrong_name(rungwise: Any, here: Path) -> None:
    shown = rungwise("show", "ladder", "mnist-1000", "--json").json
    assert (shown["name"], shown["data"]) == ("mnist-1000", "mnist@100")
    assert [(rung["base"], rung["control"]) for rung in shown["rungs"]] == [
        (None, False),
        ("cnn", True),
        ("branch", False),
    ]
    wrong = rungwise("show", "ladder", "mnist-1001")
    assert wrong.code == 2 and "'mnist-1000'" in wrong.err
