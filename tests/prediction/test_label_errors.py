"""Suspected label errors: worked by hand, and against a slow reference."""

import pytest
import torch

from rungwise.prediction.label_errors import suspected, thresholds


def test_a_threshold_is_the_mean_probability_of_the_class_on_its_images() -> None:
    probabilities = torch.tensor([[0.75, 0.25, 0.0], [0.25, 0.5, 0.25], [0.5, 0.0, 0.5]])

    found = thresholds(probabilities, torch.tensor([0, 0, 2]))

    assert found.tolist() == [0.5, torch.inf, 0.5]  # no image is labelled 1


def test_an_unsure_mistake_is_no_suspicion() -> None:
    # Thresholds: (0.9 + 0.45) / 2 = 0.675 and 0.9. The second image leans to class 1, by 0.55.
    probabilities = torch.tensor([[0.9, 0.1], [0.45, 0.55], [0.1, 0.9]])

    assert suspected(probabilities, torch.tensor([0, 0, 1])).tolist() == [False, False, False]


def test_a_right_answer_is_no_suspicion_although_another_class_reaches_its_threshold() -> None:
    # Thresholds: 0.775 and 0.4. The first image's answer is its label, 0.55 below 0.775.
    probabilities = torch.tensor([[0.55, 0.45], [1.0, 0.0], [0.6, 0.4]])

    assert suspected(probabilities, torch.tensor([0, 0, 1])).tolist() == [False, False, False]


@pytest.mark.parametrize("seed", range(5))
def test_the_definition_image_by_image(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(200, 4, generator=rng).mul(2).softmax(1)
    labels = torch.where(
        torch.rand(200, generator=rng) < 0.6,
        probabilities.argmax(1),
        torch.randint(3, (200,), generator=rng),
    )
    means = [
        sum(p[k] for p in probabilities[labels == k].tolist()) / max(1, int((labels == k).sum()))
        for k in range(4)
    ]

    expected = []
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        confident = [k for k in range(4) if (labels == k).any() and row[k] >= means[k]]
        best = max(confident, key=lambda k: row[k], default=label)
        expected.append(best != label and row.index(max(row)) != label)

    assert suspected(probabilities, labels).tolist() == expected
    assert 0 < sum(expected) < 100
