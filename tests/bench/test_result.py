"""Medians and ratios, worked by hand."""

import json

import pytest

from rungwise.bench.process import Turn
from rungwise.bench.result import BenchResult, Entry, NetResult, share_of_product


def entry(name: str, *seconds: float, problem: str | None = None) -> Entry:
    turns = tuple(Turn(120, one, 2_000_000 + index) for index, one in enumerate(seconds))
    return Entry(name, {"batch_size": 4}, turns, problem)


OURS = entry("rungwise", 1.0, 2.0, 3.0)  # 120, 60 and 40 images a second
KERAS = entry("keras", 4.0, 4.0, 4.0)  # 30, 30, 30
NET = NetResult("C-cnn", (OURS, KERAS, entry("torch-eager", problem="gone")))
RESULT = BenchResult(
    machine={"processor": "Abacus", "threads": 2},
    date="2026-01-01T00:00:00+00:00",
    repeats=3,
    nets=(NET,),
)


def test_speed_is_the_median_of_the_rounds() -> None:
    assert OURS.images_per_second == 60


def test_memory_is_the_last_peak() -> None:
    assert OURS.peak_memory == 2_000_002


def test_a_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    # Both are slowed down in round 2 and 3, by other factors: 4/1, 8/4 and 9/3.
    first = entry("rungwise", 1.0, 4.0, 3.0)
    second = entry("keras", 4.0, 8.0, 9.0)

    assert NetResult("C-cnn", (first, second)).ratio("rungwise", "keras") == 3


def test_a_ratio_with_a_missing_contestant_is_none() -> None:
    assert NET.ratios() == {
        "auto / keras": 2.0,
        "auto / keras-bfloat16": None,
        "float32 / keras": None,
        "auto / torch-eager": None,
    }


def test_the_record_holds_machine_raw_turns_medians_and_ratios() -> None:
    record = json.loads(json.dumps(RESULT.to_dict()))

    assert record.keys() == {"machine", "date", "repeats", "nets"}
    net = record["nets"]["C-cnn"]
    assert net.keys() == {"contestants", "ratios", "shares_of_product", "problems"}
    assert net["ratios"]["auto / keras"] == 2.0
    assert net["contestants"]["rungwise"] == {
        "about": {"batch_size": 4},
        "images_per_second": 60,
        "peak_memory": 2_000_002,
        "turns": [
            {**turn, "product": None}
            for turn in (
                {"images": 120, "seconds": 1, "peak_memory": 2_000_000, "images_per_second": 120},
                {"images": 120, "seconds": 2, "peak_memory": 2_000_001, "images_per_second": 60},
                {"images": 120, "seconds": 3, "peak_memory": 2_000_002, "images_per_second": 40},
            )
        ],
        "problem": None,
    }
    assert net["contestants"]["torch-eager"]["problem"] == "gone"


def test_a_share_is_of_the_product_beside_the_turn() -> None:
    turns = [Turn(100, 1.0, 0, product=1e6), Turn(100, 2.0, 0, product=2e6), Turn(100, 1.0, 0, 5e5)]

    # 100, 50 and 100 images of 1,000 operations a second, over 1e6, 2e6 and 5e5.
    assert share_of_product(turns, 1000) == pytest.approx(0.1)
    assert share_of_product([Turn(100, 1.0, 0)], 1000) is None
