import math

import pytest
import torch
from torch import nn

from rungwise.models.initialization import (
    KerasBatchNorm,
    fan_in_uniform,
    glorot_uniform,
    materialize,
)
from rungwise.models.layers import chain
from rungwise.randomness import generator


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_fill_the_glorot_interval_and_biases_are_zero(seed: int) -> None:
    network = materialize(
        lambda: chain(("conv", nn.Conv2d(16, 32, 3)), ("dense", nn.Linear(300, 200))),
        generator(seed),
    )
    conv, dense = network
    for layer, limit in ((conv, math.sqrt(6 / (9 * 48))), (dense, math.sqrt(6 / 500))):
        assert 0.99 * limit < layer.weight.abs().max() <= limit
        # A uniform distribution deviates by its limit over the square root of 3.
        assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)
        assert not layer.bias.any()


def test_limits_are_those_of_keras_and_of_pytorch() -> None:
    conv = nn.Conv2d(4, 12, 3)
    assert glorot_uniform(conv) == pytest.approx(math.sqrt(6 / (36 + 108)))
    assert fan_in_uniform(conv) == pytest.approx(1 / 6)
    assert glorot_uniform(nn.Linear(4, 2)) == pytest.approx(1.0)


def test_batch_norm_starts_as_in_keras() -> None:
    norm = materialize(lambda: KerasBatchNorm(3), generator(0))
    assert isinstance(norm, nn.BatchNorm2d)
    assert (norm.momentum, norm.eps) == (0.01, 1e-3)
    state = {name: tensor.tolist() for name, tensor in norm.state_dict().items()}
    assert state == {
        "weight": [1, 1, 1],
        "bias": [0, 0, 0],
        "running_mean": [0, 0, 0],
        "running_var": [1, 1, 1],
        "num_batches_tracked": 0,
    }


def test_a_layer_without_a_rule_is_a_bug_that_shows() -> None:
    with pytest.raises(TypeError, match="PReLU"):
        materialize(lambda: nn.Sequential(nn.PReLU()), generator(0))


def test_the_network_is_on_the_cpu_and_ready_to_train() -> None:
    network = materialize(lambda: nn.Linear(2, 2), generator(0))
    assert network.training
    assert all(weight.device == torch.device("cpu") for weight in network.parameters())


def test_running_statistics_follow_the_first_batches_quickly() -> None:
    norm = materialize(lambda: KerasBatchNorm(1), generator(0))
    first, second = torch.randn(8, 1, 2, 2, generator=generator(1)) * 3 + 2, torch.zeros(8, 1, 2, 2)

    norm(first)
    after_one = norm.running_mean.item(), norm.running_var.item()
    norm(second)

    assert after_one == pytest.approx((first.mean().item(), first.var().item()))
    assert norm.running_mean.item() == pytest.approx(first.mean().item() / 11)


def test_later_batches_count_one_percent_as_in_keras() -> None:
    norm = materialize(lambda: KerasBatchNorm(1), generator(0))
    norm.num_batches_tracked.fill_(990)
    norm.running_mean.fill_(2.0)

    norm(torch.ones(4, 1, 2, 2))

    assert norm.running_mean.item() == pytest.approx(0.99 * 2 + 0.01)
