"""`rungwise runs`: the table of what is stored, and removal that asks first."""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from rungwise.ladder.run import open_run


@pytest.fixture
def places(run: Path) -> dict[str, Path]:
    """Return a run in each of the states, in `./runs`, and a finished one on other data."""
    folders = {
        "finished": run,
        "unfinished": run.with_name("seed-1"),
        "damaged": run.with_name("seed-2"),
        "aside": run.with_name("seed-2.damaged-1"),
        "other": Path("runs/photos/dense-0123456789/seed-0"),
    }
    for folder in list(folders.values())[1:]:
        shutil.copytree(run, folder)
    (folders["unfinished"] / "summary.json").unlink()
    (folders["damaged"] / "metrics.csv").write_text("")
    return folders


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts somebody who answers in front of the command line."""

    def answering(text: str) -> None:
        keyboard = io.StringIO(text)
        monkeypatch.setattr(keyboard, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", keyboard)

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # a pipe, until somebody answers
    return answering


@pytest.fixture(autouse=True)
def nobody(terminal: Any) -> None:
    """Let no test wait for an answer."""


def there(places: dict[str, Path]) -> set[str]:
    return {name for name, folder in places.items() if folder.exists()}


# --- list


def test_the_table_has_a_line_for_each_run_and_a_total(
    rungwise: Any, places: dict[str, Path]
) -> None:
    result = rungwise("runs", "list")

    assert (result.code, result.err) == (0, "")
    header, *lines = result.out.splitlines()
    assert header.split() == [
        *("run", "data", "recipe", "seed", "status"),
        *("validation", "epochs", "seconds", "size", "when"),
    ]
    cells = [line.split() for line in lines[:5]]
    assert [(row[0], row[1], row[2], row[3], row[4]) for row in cells] == [
        (str(places["finished"]), "digits", "tiny", "0", "finished"),
        (str(places["unfinished"]), "digits", "tiny", "1", "unfinished"),
        (str(places["damaged"]), "digits", "tiny", "2", "damaged"),
        (str(places["aside"]), "digits", "tiny", "2", "aside"),
        (str(places["other"]), "photos", "dense", "0", "finished"),
    ]
    accuracy = open_run(places["finished"]).summary["val_accuracy"]
    assert cells[0][5:7] == [f"{100 * accuracy:.2f}%", "2"]
    assert cells[1][5:7] == ["-", "2"]
    assert cells[2][5:8] == ["-", "-", "-"]
    assert lines[5] == f"{places['damaged']}/metrics.csv is damaged: it was altered after the " + (
        "training"
    )
    assert lines[6].startswith("5 runs, ")


def test_json_tells_the_same(rungwise: Any, places: dict[str, Path]) -> None:
    rows = rungwise("runs", "list", "--json").json

    assert [row["run"] for row in rows] == [str(folder) for folder in places.values()]
    assert [row["status"] for row in rows] == [*list(places)[:4], "finished"]
    assert rows[0].keys() == {
        *("run", "data", "recipe", "seed", "status", "problem"),
        *("val_accuracy", "epochs", "seconds", "bytes", "changed"),
    }
    summary = open_run(places["finished"]).summary
    assert rows[0]["val_accuracy"] == summary["val_accuracy"]
    assert "metrics.csv" in rows[2]["problem"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--data photos", ["other"]),
        ("--data ./elsewhere/photos", ["other"]),
        ("--recipe tiny --status finished", ["finished"]),
        ("--status finished", ["finished", "other"]),
        ("--status damaged", ["damaged"]),
        ("--status aside --data digits", ["aside"]),
        ("--status aside --data photos", []),
        ("--data mnist", []),
    ],
)
def test_filters_combine(
    rungwise: Any, places: dict[str, Path], words: str, names: list[str]
) -> None:
    rows = rungwise("runs", "list", *words.split(), "--json").json

    assert [row["run"] for row in rows] == [str(places[name]) for name in names]


def test_an_empty_place_and_filters_that_nothing_fits_are_told(rungwise: Any, run: Path) -> None:
    Path("empty").mkdir()

    empty = rungwise("runs", "list", "--out", "empty")
    none = rungwise("runs", "list", "--recipe", "tny")

    assert (empty.code, empty.err) == (0, "")
    assert empty.out == ("no runs in empty yet: `rungwise train` or `rungwise climb` makes them\n")
    assert none.out == "none of 1 run fits; there are runs on digits, of the recipes tiny\n"
    assert rungwise("runs", "list", "--out", "empty", "--json").json == []


def test_a_path_with_a_space_can_be_pasted(rungwise: Any, run: Path) -> None:
    Path("runs").rename("my runs")

    result = rungwise("runs", "list", "--out", "my runs")

    assert f"'my {run}'" in result.out


def test_wrong_calls_are_refused(rungwise: Any, here: Path) -> None:
    rungwise("runs", "list", "--out", "gone").fails(1, "gone does not exist", "--out")
    rungwise("runs", "list", "--out", "tiny.yaml").fails(1, "tiny.yaml is no folder")
    rungwise("runs", "list", "--status", "broken").fails(2, "broken", "damaged")
    rungwise("runs", "remove").fails(2, "nothing says which runs", "--dry-run")
    rungwise("runs", "remove", "--yes").fails(2, "nothing says which runs")


# --- remove


def test_runs_given_by_path_are_removed_and_no_others(
    rungwise: Any, places: dict[str, Path]
) -> None:
    result = rungwise("runs", "remove", places["finished"], f"{places['aside']}/", "--yes")

    assert (result.code, result.err) == (0, "")
    assert there(places) == {"unfinished", "damaged", "other"}
    first, second, total = result.out.splitlines()
    assert first.startswith(f"removed {places['finished']}  ")
    assert second.startswith(f"removed {places['aside']}  ")
    assert total.startswith("2 runs, ")


def test_runs_that_the_filters_select_are_removed(rungwise: Any, places: dict[str, Path]) -> None:
    words = ("--status", "finished", "--data", "digits")
    result = rungwise("runs", "remove", *words, "--yes", "--json")

    assert there(places) == set(places) - {"finished"}
    assert result.json["removed"] == [str(places["finished"])]
    assert result.json["left"] == []
    assert result.json["bytes"] > 0


def test_filters_narrow_the_runs_that_are_given(rungwise: Any, places: dict[str, Path]) -> None:
    rungwise("runs", "remove", *places.values(), "--status", "unfinished", "--yes")

    assert there(places) == set(places) - {"unfinished"}


def test_a_run_given_twice_is_removed_once(rungwise: Any, places: dict[str, Path]) -> None:
    run = places["finished"]

    result = rungwise("runs", "remove", run, run.resolve(), "--yes", "--json")

    assert (result.code, len(result.json["removed"])) == (0, 1)


def test_one_wrong_argument_keeps_everything(rungwise: Any, places: dict[str, Path]) -> None:
    run = places["finished"]

    for wrong in (run.parent, run / "model.safetensors", "runs", ".", "gone", "tiny.yaml"):
        rungwise("runs", "remove", run, wrong, "--yes").fails(1, str(wrong), "`rungwise runs list`")

    assert there(places) == set(places)


def test_a_dry_run_lists_and_keeps_everything(rungwise: Any, places: dict[str, Path]) -> None:
    before = sorted(Path().rglob("*"))

    words = rungwise("runs", "remove", "--status", "damaged", "--dry-run")
    rows = rungwise("runs", "remove", places["aside"], "--dry-run", "--json").json

    assert str(places["damaged"]) in words.out
    assert "1 run, " in words.out
    assert [row["run"] for row in rows] == [str(places["aside"])]
    assert sorted(Path().rglob("*")) == before


def test_without_a_terminal_nothing_is_removed_unless_yes_is_said(
    rungwise: Any, places: dict[str, Path]
) -> None:
    rungwise("runs", "remove", places["finished"]).fails(2, "nobody can be asked", "--yes")

    assert there(places) == set(places)


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_who_agrees_has_it_removed(
    rungwise: Any, places: dict[str, Path], terminal: Any, answer: str
) -> None:
    terminal(answer)

    result = rungwise("runs", "remove", places["finished"])

    assert there(places) == set(places) - {"finished"}
    assert f"{places['finished']}  finished\nremove 1 run, " in result.err


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yellow\n"])
def test_who_does_not_agree_keeps_everything(
    rungwise: Any, places: dict[str, Path], terminal: Any, answer: str
) -> None:
    terminal(answer)

    result = rungwise("runs", "remove", "--data", "digits", "--json")

    assert there(places) == set(places)
    assert (result.code, result.json["removed"]) == (0, [])
    assert "nothing is removed" in result.err


def test_a_run_in_training_is_left_and_the_others_are_removed(
    rungwise: Any, places: dict[str, Path]
) -> None:
    key = places["unfinished"].parent.name.removeprefix("tiny-")
    Path("runs/.locks").mkdir(exist_ok=True)

    with FileLock(f"runs/.locks/{key}-1.lock"):
        result = rungwise("runs", "remove", "--data", "digits", "--yes", "--json")

    assert result.code == 1
    assert f"another process is training {places['unfinished']}" in result.err
    assert there(places) == {"unfinished", "other"}
    assert [left["run"] for left in result.json["left"]] == [str(places["unfinished"])]


def test_all_that_was_left_is_told_at_once(rungwise: Any, places: dict[str, Path]) -> None:
    key = places["unfinished"].parent.name.removeprefix("tiny-")
    Path("runs/.locks").mkdir(exist_ok=True)

    with FileLock(f"runs/.locks/{key}-1.lock"), FileLock(f"runs/.locks/{key}-2.lock"):
        result = rungwise("runs", "remove", places["unfinished"], places["damaged"], "--yes")

    result.fails(1, "2 runs were left", str(places["unfinished"]), str(places["damaged"]))


def test_filters_that_nothing_fits_remove_nothing(rungwise: Any, places: dict[str, Path]) -> None:
    result = rungwise("runs", "remove", "--data", "mnist")

    assert result.code == 0
    assert result.out.startswith("none of 5 runs fits")
    assert there(places) == set(places)
