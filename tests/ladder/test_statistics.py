"""Spreads, by hand."""

from rungwise.ladder.statistics import Spread


def test_mean_and_deviation_of_a_sample() -> None:
    spread = Spread((0.5, 0.75, 1.0))

    assert spread.mean == 0.75
    assert spread.std == 0.25  # sqrt((1/16 + 0 + 1/16) / 2)
    assert spread.to_dict() == {"mean": 0.75, "std": 0.25, "values": [0.5, 0.75, 1.0]}


def test_a_single_value_has_no_deviation() -> None:
    assert Spread((0.5,)).to_dict() == {"mean": 0.5, "std": None, "values": [0.5]}
