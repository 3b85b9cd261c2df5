"""Bins of the reliability diagram."""

from pathlib import Path

import pytest
import torch

from rungwise.prediction.calibration import expected_calibration_error
from rungwise.report.reliability import Bin, calibration_error, reliability, reliability_bins


def test_bins_hold_their_answers_by_hand() -> None:
    probabilities = torch.tensor([[0.6, 0.4], [0.7, 0.3], [0.05, 0.95]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 1])

    bins = reliability_bins(probabilities, labels, bins=2)

    [only] = bins
    assert (only.low, only.high, only.images) == (0.5, 1.0, 3)
    assert only.confidence == pytest.approx(0.75)
    assert only.accuracy == pytest.approx(2 / 3)
    assert calibration_error(bins) == pytest.approx(0.75 - 2 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_of_the_bins_is_the_expected_calibration_error(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(200, 4, generator=rng).mul(3).softmax(1)
    labels = torch.randint(0, 4, (200,), generator=rng)

    bins = reliability_bins(probabilities, labels)

    assert sum(one.images for one in bins) == 200
    assert calibration_error(bins) == pytest.approx(
        expected_calibration_error(probabilities, labels)
    )


def test_certain_answers_are_in_the_last_bin(tmp_path: Path) -> None:
    bins = reliability_bins(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))

    assert bins == [Bin(14 / 15, 1.0, 1, 1.0, 1.0)]
    assert reliability(bins, tmp_path / "reliability.svg").is_file()
