"""What the number of images leaves open, and when a net is said to overfit."""

import numpy as np
import pytest

from rungwise.prediction.uncertainty import overfits, wilson_interval


@pytest.mark.parametrize(
    ("right", "images", "interval"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_wilsons(right: int, images: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(right / images, images) == pytest.approx(interval, abs=5e-5)
    low, high = wilson_interval(1 - right / images, images)
    assert (1 - high, 1 - low) == pytest.approx(interval, abs=5e-5)


def test_the_interval_holds_the_true_accuracy_in_95_of_100_cases() -> None:
    right = np.random.default_rng(0).binomial(100, 0.6, size=4000)
    bounds = [wilson_interval(count / 100, 100) for count in right.tolist()]

    assert 0.94 < np.mean([low <= 0.6 <= high for low, high in bounds]) < 0.965


@pytest.mark.parametrize("accuracy", [0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("held_out", [5, 20, 100, 1000])
def test_luck_is_no_overfitting(accuracy: float, held_out: int) -> None:
    rng, trained = np.random.default_rng(0), 9 * held_out
    in_training = rng.binomial(trained, accuracy, 2000) / trained
    in_validation = rng.binomial(held_out, accuracy, 2000) / held_out

    pairs = zip(in_training.tolist(), in_validation.tolist(), strict=True)
    found = [overfits(ours, trained, theirs, held_out) for ours, theirs in pairs]

    assert sum(found) <= 2


@pytest.mark.parametrize(
    ("train", "trained", "validation", "held_out", "expected"),
    [
        (0.83, 328, 0.5854, 82, True),
        (1.0, 5000, 0.6, 500, True),
        (0.99, 45_000, 0.955, 5000, False),  # a gap, but a small one
        (1.0, 18, 0.5, 2, False),  # of two images nothing can be said
        (0.5, 1000, 0.9, 100, False),  # augmentation makes the training images harder
    ],
)
def test_overfitting_is_a_large_and_sure_gap(
    train: float, trained: int, validation: float, held_out: int, expected: bool
) -> None:
    assert overfits(train, trained, validation, held_out) is expected
