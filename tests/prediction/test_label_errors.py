"""Suspected label errors: strong evidence alone counts."""

import pytest
import torch

from rungwise.prediction.label_errors import MOST_WRONG, chances, suspected


def answers(right: int, sure_mistakes: int, close_mistakes: int) -> torch.Tensor:
    """Return (N, 4) probabilities for images that are all labelled 0."""
    sure, close = [1e-6, 1 - 3e-6, 1e-6, 1e-6], [0.35, 0.45, 0.1, 0.1]
    rows = [[sure[1], *[1e-6] * 3]] * right + [sure] * sure_mistakes + [close] * close_mistakes
    return torch.tensor(rows)


def test_a_sure_mistake_of_a_good_net_is_a_suspicion_and_a_close_one_is_none() -> None:
    found = suspected(answers(960, 20, 20), torch.zeros(1000, dtype=torch.int64))

    assert found.tolist() == [False] * 960 + [True] * 20 + [False] * 20


@pytest.mark.parametrize("images", [82, 1000])
def test_the_mistakes_of_an_overconfident_weak_net_are_no_evidence(images: int) -> None:
    right = round(0.58 * images)

    found = suspected(answers(right, images - right, 0), torch.zeros(images, dtype=torch.int64))

    assert not found.any()


def test_a_chance_follows_from_the_share_of_wrong_labels_and_the_answer() -> None:
    # Far more mistakes than wrong labels are believed: the share is at its limit.
    probabilities = answers(900, 60, 40)

    found = chances(probabilities, torch.zeros(1000, dtype=torch.int64))

    # On the images of one kind all is alike. A right answer's label is hardly wrong.
    assert found[:900].max() < MOST_WRONG
    assert torch.equal(found[900:960], found[900:901].expand(60))
    assert found[900] > found[-1] > found[0]


def test_right_answers_and_no_images_give_no_suspicion() -> None:
    assert not suspected(torch.eye(3), torch.arange(3)).any()
    assert suspected(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).tolist() == []


def test_an_unsure_net_is_no_witness() -> None:
    rng = torch.Generator().manual_seed(0)
    probabilities = torch.randn(500, 10, generator=rng).mul(8).softmax(1)
    labels = torch.randint(10, (500,), generator=rng)

    assert not suspected(probabilities, labels).any()
