import math

import pytest
import torch

from rungwise.prediction.calibration import (
    EXTREME,
    expected_calibration_error,
    fit_temperature,
)
from rungwise.randomness import generator


def two_classes(*confidences: float) -> torch.Tensor:
    """Return probabilities whose answer is always class 0."""
    first = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([first, 1 - first], 1)


def test_error_by_hand() -> None:
    # Ten bins. 0.62 and 0.68 share one: mean confidence 0.65, accuracy 0.5, a gap of 0.15.
    # 0.95 is alone and right: 0.05. Weighted: (2·0.15 + 1·0.05) / 3.
    labels = torch.tensor([0, 1, 0])

    error = expected_calibration_error(two_classes(0.62, 0.68, 0.95), labels, bins=10)

    assert error == pytest.approx(0.35 / 3)


def test_too_low_and_too_high_confidence_in_one_bin_cancel_out() -> None:
    labels = torch.tensor([0, 0, 0, 1])

    assert expected_calibration_error(two_classes(*[0.75] * 4), labels, bins=10) == pytest.approx(0)


def test_sure_and_wrong_is_the_worst() -> None:
    assert expected_calibration_error(two_classes(1.0, 1.0), torch.tensor([1, 1])) == 1.0


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_error_is_that_of_a_slow_reference(bins: int) -> None:
    rng = generator("calibration")
    probabilities = torch.randn(200, 3, generator=rng).double().softmax(1)
    labels = torch.randint(3, (200,), generator=rng)

    expected = 0.0
    confidence, given = probabilities.max(1)
    for index in range(bins):
        inside = (confidence >= index / bins) & (confidence < (index + 1) / bins)
        if inside.any():
            accuracy = (given == labels)[inside].double().mean()
            gap = (accuracy - confidence[inside].mean()).abs()
            expected += (inside.double().mean() * gap).item()

    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


def logits_of(gap: float, right: int, wrong: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits of two classes, class 0 ahead by `gap`, and labels."""
    labels = torch.tensor([0] * right + [1] * wrong)
    return torch.tensor([[gap, 0.0]]).expand(len(labels), 2), labels


@pytest.mark.parametrize(("right", "wrong"), [(8, 1), (3, 0), (30, 20)])
def test_temperature_by_hand(right: int, wrong: int) -> None:
    # The likeliest probability of class 0 is its share, half a right image and half a wrong more.
    odds = (right + 0.5) / (wrong + 0.5)

    fitted = fit_temperature(*logits_of(6.0, right, wrong))

    assert fitted == pytest.approx(6 / math.log(odds), rel=1e-3)


def test_temperature_stays_in_bounds_for_nets_that_know_nothing() -> None:
    assert fit_temperature(*logits_of(6.0, 1, 8)) == pytest.approx(EXTREME, rel=1e-3)
    assert fit_temperature(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])) > 0
    assert fit_temperature(*logits_of(1e4, 5, 5)) <= EXTREME


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(true: float) -> None:
    rng = generator("temperature")
    logits = 3 * torch.randn(20_000, 5, generator=rng)
    labels = (logits / true).softmax(1).multinomial(1, generator=rng)[:, 0]

    fitted = fit_temperature(logits, labels)

    assert fitted == pytest.approx(true, rel=0.05)
    if true != 1:
        before, after = (
            expected_calibration_error(some.softmax(1), labels)
            for some in (logits, logits / fitted)
        )
        assert after < before / 3
