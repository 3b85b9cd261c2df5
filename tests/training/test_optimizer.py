import math
from typing import Any

import pytest
import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models import Compact
from rungwise.randomness import generator
from rungwise.training.optimizer import OPTIMIZERS, SGD, Adam, AdamW, Muon, Optimizer
from rungwise.training.weights import FlatWeights

START, GRADIENTS = 2.0, (0.5, -0.25, 0.1)


def steps(optimizer: Optimizer) -> list[float]:
    """Return a weight after each of three steps with known gradients."""
    return steps_of(optimizer, "weight")


def steps_of(optimizer: Optimizer, name: str) -> list[float]:
    net = nn.Module()
    net.register_parameter(name, nn.Parameter(torch.tensor([START])))
    weights = FlatWeights(net)
    made = optimizer.make(weights)
    seen = []
    for gradient in GRADIENTS:
        weights.gradients[0] = gradient
        made.step()
        seen.append(weights.values[0].item())
    return seen


def adam_by_hand(lr: float, beta1: float, beta2: float, eps: float, l2: float, decay: float):
    weight, first, second, seen = START, 0.0, 0.0, []
    for step, given in enumerate(GRADIENTS, 1):
        weight -= lr * decay * weight
        gradient = given + l2 * weight
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        unbiased = math.sqrt(second / (1 - beta2**step))
        weight -= lr * first / (1 - beta1**step) / (unbiased + eps)
        seen.append(weight)
    return seen


def test_adam_follows_the_papers_formula() -> None:
    made = steps(Adam(lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3))

    assert made == pytest.approx(adam_by_hand(0.1, 0.8, 0.95, 1e-3, 0, 0), rel=1e-5)


def test_weight_decay_of_adam_is_added_to_the_gradient() -> None:
    made = steps(Adam(lr=0.1, weight_decay=0.3))

    assert made == pytest.approx(adam_by_hand(0.1, 0.9, 0.999, 1e-7, 0.3, 0), rel=1e-5)


def test_weight_decay_of_adamw_shrinks_the_weight_itself() -> None:
    made = steps(AdamW(lr=0.1, weight_decay=0.3))

    assert made == pytest.approx(adam_by_hand(0.1, 0.9, 0.999, 1e-8, 0, 0.3), rel=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_follows_its_momentum(nesterov: bool) -> None:
    made = steps(SGD(lr=0.1, momentum=0.8, nesterov=nesterov, weight_decay=0.3))

    weight, velocity, seen = START, 0.0, []
    for given in GRADIENTS:
        gradient = given + 0.3 * weight
        velocity = 0.8 * velocity + gradient
        weight -= 0.1 * (gradient + 0.8 * velocity if nesterov else velocity)
        seen.append(weight)
    assert made == pytest.approx(seen, rel=1e-5)


def test_plain_sgd_steps_down_the_gradient() -> None:
    # 2 - 0.1·0.5, then + 0.1·0.25, then - 0.1·0.1
    made = steps(SGD(lr=0.1, momentum=0, nesterov=False))

    assert made == pytest.approx([1.95, 1.975, 1.965])


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0},
        {"lr": -1},
        {"lr": math.nan},
        {"lr": math.inf},
        {"weight_decay": -0.1},
        {"weight_decay": math.nan},
    ],
    ids=str,
)
def test_impossible_rates_are_refused_in_three_parts(
    kind: type[Optimizer], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="optimizer has lr") as caught:
        kind(**settings)

    assert caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize("settings", [{"beta1": 1}, {"beta2": -0.1}, {"eps": -1}], ids=str)
def test_impossible_moments_are_refused(kind: type[Optimizer], settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="has beta1") as caught:
        kind(**settings)

    assert caught.value.fix


def test_momentum_has_to_be_a_share() -> None:
    for momentum in (-0.1, 1, 90):
        with pytest.raises(ConfigError, match="sgd momentum"):
            SGD(momentum=momentum)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ConfigError, match="nesterov has no effect without momentum"):
        SGD(momentum=0)


def momentum_by_hand(lr: float, momentum: float, l2: float, shrink: float) -> list[float]:
    weight, buffer, seen = START, 0.0, []
    for given in GRADIENTS:
        gradient = given + l2 * weight
        weight -= shrink * weight
        buffer = momentum * buffer + gradient
        weight -= lr * (gradient + momentum * buffer)
        seen.append(weight)
    return seen


def test_scaled_biases_take_larger_steps_at_the_same_decay() -> None:
    made = SGD(lr=0.1, momentum=0.9, weight_decay=0.02, bias_lr_factor=4)

    assert steps_of(made, "weight") == pytest.approx(momentum_by_hand(0.1, 0.9, 0.02, 0))
    assert steps_of(made, "bias") == pytest.approx(momentum_by_hand(0.4, 0.9, 0.005, 0))


def test_muon_moves_vectors_by_plain_momentum() -> None:
    made = Muon(bias_lr=0.3, other_momentum=0.8, weight_decay=0.01)

    assert steps_of(made, "bias") == pytest.approx(momentum_by_hand(0.3, 0.8, 0, 0.01))


def test_muon_moves_no_bias_farther_than_1_in_a_step() -> None:
    first, *_ = steps_of(Muon(bias_lr=1e6), "bias")
    start = momentum_by_hand(0, 0, 0, 0)[0]

    assert abs(first - start) == pytest.approx(1)


def test_muon_gives_each_kind_of_parameter_its_rate() -> None:
    weights = FlatWeights(Compact(widths=(4,), stem_width=3).build((3, 8, 8), 5, generator(0)))
    groups = Muon(lr=0.2, dense_lr=0.3, bias_lr=0.4).make(weights).param_groups

    kinds = [({p.dim() for p in group["params"]}, group["initial_lr"]) for group in groups]
    assert kinds == [({4}, 0.2), ({2}, 0.3), ({1}, 0.4)]
    assert sum(len(group["params"]) for group in groups) == len(weights.parameters)


@pytest.mark.parametrize(
    "settings",
    [
        {"momentum": 1.0},
        {"other_momentum": -0.1},
        {"dense_lr": 0.0},
        {"bias_lr": -1.0},
        {"iterations": 0},
        {"lr": 0.0},
        {"weight_decay": -1.0},
    ],
)
def test_muon_refuses_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Muon(**settings)


def test_sgd_refuses_a_factor_of_0() -> None:
    with pytest.raises(ConfigError, match="bias_lr_factor is 0"):
        SGD(bias_lr_factor=0.0)
