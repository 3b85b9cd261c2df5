import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.models.layers import (
    Dropout,
    GlobalAveragePool,
    GlobalMaxPool,
    SameConv2d,
    chain,
    drop,
)

formats = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_share_of_dropped_values_is_the_rate(rate: float) -> None:
    torch.manual_seed(0)
    draws = 4_000_000
    dropped = (drop(torch.ones(draws), rate) == 0).float().mean().item()
    assert abs(dropped - rate) < 4 * (rate * (1 - rate) / draws) ** 0.5 + 1e-5


@formats
@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_dropout_keeps_the_expectation(dtype: torch.dtype, rate: float) -> None:
    torch.manual_seed(0)
    values = torch.rand(2_000_000, generator=torch.Generator().manual_seed(1)).to(dtype)
    mean = drop(values, rate).double().mean().item()
    # The deviation of the mean is below 0.001; a scale rounded to bfloat16 would add 0.2%.
    assert mean == pytest.approx(values.double().mean().item(), abs=1e-3)


@formats
def test_a_kept_value_is_scaled_and_the_memory_order_stays(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.ones(4, 6, 5, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    result = drop(values, 0.5)
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert set(result.flatten().tolist()) == {0.0, 2.0}


def test_dropout_takes_tensors_of_any_layout() -> None:
    torch.manual_seed(0)
    sliced = torch.ones(4, 6, 8, 8)[:, 1:4, ::2, 1::3]
    assert set(drop(sliced, 0.5).flatten().tolist()) == {0.0, 2.0}
    assert drop(torch.ones(0, 3), 0.5).shape == (0, 3)


def test_neighbouring_values_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = drop(torch.ones(1_000_000), 0.5) != 0
    for distance in (1, 2, 3, 4):
        both = (kept[:-distance] & kept[distance:]).float().mean().item()
        assert both == pytest.approx(0.25, abs=0.003)


def test_the_global_seed_determines_the_dropout() -> None:
    def masks() -> list[torch.Tensor]:
        torch.manual_seed(3)
        return [drop(torch.ones(50), 0.5), drop(torch.ones(50), 0.5)]

    first, second = masks(), masks()
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], first[1])


def test_dropout_has_the_gradient_of_what_it_computes() -> None:
    def seeded(values: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return drop(values, 0.25)

    values = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(seeded, values)


def test_dropout_does_nothing_outside_training() -> None:
    values = torch.rand(5)
    assert Dropout(0.5).eval()(values) is values


@pytest.mark.parametrize("side", [1, 2, 5, 7, 8])
def test_same_convolution_pads_below_and_on_the_right_only(side: int) -> None:
    conv = SameConv2d(2, 3, 2)
    images = torch.rand(2, 2, side, side)
    padded = torch.zeros(2, 2, side + side % 2, side + side % 2)
    padded[:, :, :side, :side] = images

    result = conv(images)

    assert result.shape[2:] == ((side + 1) // 2, (side + 1) // 2)
    torch.testing.assert_close(result, F.conv2d(padded, conv.weight, conv.bias, stride=2))


def test_global_pools_reduce_each_map_to_one_number() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[-4.0, -1.0], [-2.0, -5.0]]]])
    assert GlobalMaxPool()(maps).tolist() == [[6.0, -1.0]]
    assert GlobalAveragePool()(maps).tolist() == [[3.0, -3.0]]


def test_one_of_equal_values_receives_the_gradient_of_the_global_maximum() -> None:
    maps = torch.ones(1, 1, 2, 2, requires_grad=True)
    GlobalMaxPool()(maps).sum().backward()
    assert maps.grad is not None
    assert maps.grad.flatten().tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_chain_numbers_only_repeated_names() -> None:
    network = chain(("conv", nn.ReLU()), ("pool", nn.ReLU()), ("conv", nn.ReLU()))
    assert [name for name, _ in network.named_children()] == ["conv1", "pool", "conv2"]
