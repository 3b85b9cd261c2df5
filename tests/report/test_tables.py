"""Tables as CSV."""

import csv
from pathlib import Path
from typing import Any

import pytest

from rungwise.report.tables import Table, confusion_table, verdict_rows


def test_cells_are_quoted_and_none_is_empty(tmp_path: Path) -> None:
    path = Table("some", ("a, b", "c"), ((None, 'x"y\nz'), (1 / 3, True))).write(tmp_path)

    with path.open(newline="") as file:
        rows = list(csv.reader(file))

    assert rows == [["a, b", "c"], ["", 'x"y\nz'], [repr(1 / 3), "True"]]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_what_a_spreadsheet_would_compute_is_text(tmp_path: Path, text: str) -> None:
    path = confusion_table([[1]], [text]).write(tmp_path)

    with path.open(newline="") as file:
        header, row = csv.reader(file)

    shown = text.replace("\r", r"\r")
    assert (header[1], row[0]) == (f"'{shown}", f"'{shown}")


@pytest.mark.parametrize("value", ["-1", "+2.5", "-1e3", "cat", "a=b", -0.5, None, ""])
def test_numbers_and_other_text_are_left_as_they_are(tmp_path: Path, value: Any) -> None:
    path = Table("some", ("a",), ((value,), ("end",))).write(tmp_path)

    with path.open(newline="") as file:
        _, (cell,), _ = csv.reader(file)

    assert cell == ("" if value is None else str(value))


def test_a_point_costs_what_the_rung_costs_more(records_of: Any, rung: Any) -> None:
    records = records_of(
        rung("plain", 0.9, seconds=10.0, flops=1e9),
        rung("dearer", 0.92, "plain", gain=0.02, seconds=16.0, flops=5e9),
        rung("cheaper", 0.93, "dearer", gain=0.01, seconds=15.0, flops=1e9),
        rung("worse", 0.9, "cheaper", gain=-0.03, seconds=20.0),
    )

    plain, dearer, cheaper, worse = verdict_rows(records)

    assert (plain["gain"], plain["seconds_per_point"]) == (None, None)
    assert dearer["seconds_per_point"] == pytest.approx(3.0)  # 6 s for 2 points
    assert dearer["flops_per_point"] == pytest.approx(2e9)
    assert cheaper["seconds_per_point"] == pytest.approx(-1.0)
    assert (worse["seconds_per_point"], worse["flops_per_point"]) == (None, None)


def test_what_is_left_out_costs_what_the_base_costs_more(records_of: Any, rung: Any) -> None:
    lacking = {"left_out": True, "gain": 0.02, "seconds": 4.0, "seeds": [0]}
    records = records_of(rung("top", 0.9, seconds=10.0), rung("without-a", 0.88, "top", **lacking))

    _, without = verdict_rows(records)

    assert without["seconds_per_point"] == pytest.approx(3.0)  # 6 s for 2 points
    assert (without["left_out"], without["seeds"]) == (True, 1)


def test_a_confusion_table_names_classes_on_both_sides() -> None:
    table = confusion_table([[3, 1], [0, 2]], ("cat", "dog"))

    assert table.header == ("true class", "cat", "dog")
    assert table.rows == (("cat", 3, 1), ("dog", 0, 2))
