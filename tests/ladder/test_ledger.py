"""Openings of test sets, written down."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from rungwise.data import Dataset
from rungwise.errors import StorageError
from rungwise.ladder.ledger import earlier_openings, openings, record_opening


def lines(root: Path) -> list[str]:
    return (root / "ledger.jsonl").read_text().splitlines()


def test_each_opening_is_a_line_and_tells_how_many_there_were(
    digits: Dataset, tmp_path: Path
) -> None:
    counts = [record_opening(tmp_path / "runs", digits, f"number {n}") for n in range(3)]

    entries = [json.loads(line) for line in lines(tmp_path / "runs")]
    assert counts == [0, 1, 2]
    assert [entry["what"] for entry in entries] == ["number 0", "number 1", "number 2"]
    assert {entry["data"] for entry in entries} == {"digits"}
    assert datetime.fromisoformat(entries[0]["time"]).utcoffset() is not None


def test_a_subset_of_the_training_images_shares_the_test_set(
    digits: Dataset, tmp_path: Path
) -> None:
    small = replace(digits, name="digits@5", per_class=5)
    assert digits.test is not None
    other = replace(digits, test=digits.train)

    record_opening(tmp_path, digits, "all")

    assert record_opening(tmp_path, small, "few") == 1
    assert record_opening(tmp_path, other, "another test set") == 0
    assert [entry["data"] for entry in openings(tmp_path, digits)] == ["digits", "digits@5"]


def test_a_line_that_cannot_be_read_counts_as_an_opening_and_swallows_none(
    digits: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"time": "2026-')

    assert record_opening(tmp_path, digits, "the next") == 1

    cut, whole = lines(tmp_path)
    assert cut == '{"time": "2026-'
    assert json.loads(whole)["what"] == "the next"


def test_a_ledger_that_cannot_be_written_is_told(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")

    with pytest.raises(StorageError, match=r"ledger\.jsonl"):
        record_opening(tmp_path / "runs", digits, "in vain")


def test_reading_again_counts_what_other_work_opened_before_the_own_last_opening(
    digits: Dataset, tmp_path: Path
) -> None:
    for what in ("other", "own", "other", "own", "later"):
        record_opening(tmp_path, digits, what)

    assert earlier_openings(tmp_path, digits, "own") == 2
    assert earlier_openings(tmp_path, digits, "later") == 4
    assert earlier_openings(tmp_path, digits, "opened nothing") == 5


def test_where_there_is_no_ledger_nothing_was_opened(digits: Dataset, tmp_path: Path) -> None:
    assert earlier_openings(tmp_path, digits, "own") == 0
