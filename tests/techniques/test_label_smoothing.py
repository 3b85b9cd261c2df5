import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.randomness import generator
from rungwise.techniques import Batch, LabelSmoothing
from rungwise.techniques.label_smoothing import smooth


def test_a_share_of_the_target_goes_to_all_classes_alike() -> None:
    smoothed = smooth(torch.tensor([[0.0, 1.0, 0.0, 0.0]]), 0.2)

    # 0.2 / 4 for each class, and 0.8 more for the true one
    torch.testing.assert_close(smoothed, torch.tensor([[0.05, 0.85, 0.05, 0.05]]))


def test_mixed_targets_are_smoothed_too() -> None:
    smoothed = smooth(torch.tensor([[0.75, 0.25]]), 0.5)

    assert smoothed.tolist() == [[0.625, 0.375]]


def test_images_are_the_same() -> None:
    batch = Batch(torch.rand(2, 1, 3, 3), torch.eye(2))

    images, targets = LabelSmoothing(amount=0.5).change_batch(batch, generator(0), 0.0)

    assert images is batch.images
    assert targets.tolist() == [[0.75, 0.25], [0.25, 0.75]]


@pytest.mark.parametrize("amount", [0, 1, -0.1, 10, float("nan")])
def test_an_impossible_amount_is_refused_in_three_parts(amount: float) -> None:
    with pytest.raises(ConfigError, match="label-smoothing amount") as caught:
        LabelSmoothing(amount=amount)

    assert caught.value.expected
    assert caught.value.fix
