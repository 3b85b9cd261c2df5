import math

import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.models import MLP, Multitask
from rungwise.models.base import Output
from rungwise.techniques import Batch, Reconstruction

BATCH = Batch(torch.zeros(1, 1, 2, 2), torch.tensor([[1.0, 0.0]]))
# Half of the pixels are wrong by 0.4: the mean squared error is 0.08.
OUTPUT = Output(torch.zeros(1, 2), torch.tensor([[[[0.4, 0.0], [0.0, 0.4]]]]))


def test_losses_are_added_by_their_weights() -> None:
    cross_entropy = torch.tensor(math.log(2))

    loss = Reconstruction(weight=0.1, class_weight=0.9).change_loss(cross_entropy, OUTPUT, BATCH)

    assert loss.item() == pytest.approx(0.9 * math.log(2) + 0.1 * 0.08)


def test_weight_zero_is_a_control_that_only_weighs_the_class_loss() -> None:
    loss = Reconstruction(weight=0, class_weight=0.5).change_loss(torch.tensor(3.0), OUTPUT, BATCH)

    assert loss.item() == 1.5


def test_weight_zero_gives_the_decoder_no_gradient() -> None:
    pixels = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    logits = torch.zeros(1, 2, requires_grad=True)

    loss = Reconstruction(weight=0).change_loss(logits.sum(), Output(logits, pixels), BATCH)
    loss.backward()

    assert pixels.grad is None
    assert logits.grad is not None


def test_reconstructions_in_bfloat16_are_measured_in_float32() -> None:
    output = Output(OUTPUT.logits, torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16))

    loss = Reconstruction().change_loss(torch.tensor(0.0), output, BATCH)

    assert loss.dtype == torch.float32
    assert loss.item() == 0.25


def test_nets_without_a_decoder_are_refused() -> None:
    Reconstruction().check(Multitask(), validated=False)
    with pytest.raises(ConfigError, match="reconstruction has no effect") as caught:
        Reconstruction().check(MLP(), validated=True)

    assert "multitask" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"weight": -1}, {"class_weight": 0}, {"weight": math.nan}, {"class_weight": math.inf}],
    ids=str,
)
def test_an_impossible_weight_is_refused_in_three_parts(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="reconstruction") as caught:
        Reconstruction(**settings)

    assert caught.value.expected
    assert caught.value.fix
