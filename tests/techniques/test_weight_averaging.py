import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.techniques import WeightAveraging


def test_average_starts_as_a_copy_of_the_first_weights() -> None:
    weights = {"w": torch.tensor([2.0])}

    average = WeightAveraging().average(None, weights, 1, 1000)
    weights["w"].add_(1)

    assert average is not None
    assert average["w"].tolist() == [2.0]


def test_early_steps_forget_the_start_faster_than_the_decay() -> None:
    technique = WeightAveraging(decay=0.9)
    average = {"w": torch.tensor([0.0])}

    # step 2: decay (1 + 2) / (10 + 2) = 0.25, so 0.25·0 + 0.75·4
    technique.average(average, {"w": torch.tensor([4.0])}, 2, 1000)
    assert average["w"].item() == pytest.approx(3.0)
    # step 8: decay 9 / 18 = 0.5
    technique.average(average, {"w": torch.tensor([5.0])}, 8, 1000)
    assert average["w"].item() == pytest.approx(4.0)


def test_late_steps_keep_the_decays_share() -> None:
    average = {"w": torch.tensor([1.0])}

    # step 1000: (1001 / 1010) is above 0.9
    WeightAveraging(decay=0.9).average(average, {"w": torch.tensor([11.0])}, 1000, 1000)

    assert average["w"].item() == pytest.approx(2.0)


def test_float_buffers_are_averaged_and_counters_copied() -> None:
    average = {"running_mean": torch.tensor(1.0), "num_batches": torch.tensor(3)}
    weights = {"running_mean": torch.tensor(5.0), "num_batches": torch.tensor(9)}

    WeightAveraging(decay=0.5).average(average, weights, 8, 1000)

    assert average["running_mean"].item() == pytest.approx(3.0)
    assert average["num_batches"].item() == 9
    assert average["num_batches"].dtype == torch.int64


def test_weights_that_stay_have_themselves_as_average() -> None:
    technique = WeightAveraging(decay=0.99)
    weights = {"w": torch.tensor([0.1, -7.0])}
    average = None

    for step in range(1, 50):
        average = technique.average(average, weights, step, 1000)

    assert average is not None
    assert torch.equal(average["w"], weights["w"])


@pytest.mark.parametrize("decay", [0, 1, -0.5, 2, float("nan")])
def test_an_impossible_decay_is_refused_in_three_parts(decay: float) -> None:
    with pytest.raises(ConfigError, match="weight-averaging decay") as caught:
        WeightAveraging(decay=decay)

    assert caught.value.expected
    assert caught.value.fix
