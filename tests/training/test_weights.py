import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from rungwise.models import CNN, MODELS, Compact
from rungwise.randomness import generator
from rungwise.training.optimizer import SGD, Adam, AdamW
from rungwise.training.weights import ALIGNMENT, FlatWeights


def small_net() -> nn.Module:
    """Return a net of convolutions, normalisations and a dense layer, channels-last."""
    net = Compact(widths=(5, 7), stem_width=3).build((3, 8, 8), 4, generator("net"))
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def test_the_net_keeps_its_values_names_and_layouts() -> None:
    net = small_net()
    before = copy.deepcopy(net)
    strides = [parameter.stride() for parameter in net.parameters()]

    FlatWeights(net)

    assert list(net.state_dict()) == list(before.state_dict())
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before.state_dict()[name])
    assert [parameter.stride() for parameter in net.parameters()] == strides
    kernel = net.get_parameter("group1.conv1.weight")
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not kernel.is_contiguous()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_architecture_answers_as_before(name: str) -> None:
    net = MODELS[name]().build((3, 8, 8), 4, generator(0)) if name != "compact" else small_net()
    net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    images = torch.rand(2, 3, 8, 8, generator=generator("images"))
    with torch.no_grad():
        before = net(images).logits
        FlatWeights(net)

        assert torch.equal(net(images).logits, before)


def test_all_weights_are_one_vector_without_overlap() -> None:
    net = small_net()
    weights = FlatWeights(net)
    with torch.no_grad():
        weights.values.fill_(0)
        for number, parameter in enumerate(net.parameters(), 1):
            parameter.add_(number)

    counts = torch.bincount(weights.values.detach().long())
    sizes = [parameter.numel() for parameter in net.parameters()]

    assert counts[1:].tolist() == sizes
    assert counts[0] == sum(-size % ALIGNMENT for size in sizes)
    assert {parameter.data_ptr() % (4 * ALIGNMENT) for parameter in net.parameters()} == {
        weights.values.data_ptr() % (4 * ALIGNMENT)
    }


def test_fixed_parameters_stay_out_of_the_vector() -> None:
    net = nn.Linear(2, 3)
    net.weight.requires_grad_(False)
    weights = FlatWeights(net)

    assert weights.names == ["bias"]
    assert weights.values.numel() == ALIGNMENT
    assert net.weight.grad is None


def test_a_changed_value_changes_the_net_and_the_reverse() -> None:
    net = nn.Linear(2, 3)
    weights = FlatWeights(net)
    with torch.no_grad():
        weights.values.fill_(5)
        assert (net.weight == 5).all() and (net.bias == 5).all()
        net.bias[1] = 7

    assert weights.values[ALIGNMENT + 1] == 7


def test_a_loaded_state_lands_in_the_vector() -> None:
    source, net = small_net(), small_net()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1)
    weights = FlatWeights(net)

    net.load_state_dict(source.state_dict())

    for part, expected in zip(weights.parts_of(weights.values), source.parameters(), strict=True):
        assert torch.equal(part, expected)


def test_a_copy_of_the_net_is_free_of_the_vector() -> None:
    net = small_net()
    weights = FlatWeights(net)
    other = copy.deepcopy(net)
    before = copy.deepcopy(other.state_dict())
    with torch.no_grad():
        weights.values.fill_(3)

    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


def test_autograd_writes_into_the_vector_of_gradients() -> None:
    net = small_net()
    separate = copy.deepcopy(net)
    weights = FlatWeights(net)
    images = torch.rand(4, 3, 8, 8, generator=generator("images"))

    for one in (net, separate):
        one(images).logits.square().sum().backward()

    assert weights.values.grad is weights.gradients
    parts = weights.parts_of(weights.gradients)
    for part, mine, other in zip(parts, net.parameters(), separate.parameters(), strict=True):
        assert mine.grad is not None
        assert mine.grad.data_ptr() == part.data_ptr()
        assert torch.equal(part, other.grad)


def test_a_shared_parameter_has_one_place() -> None:
    layer = nn.Linear(4, 4, bias=False)

    weights = FlatWeights(nn.Sequential(layer, layer))

    assert len(weights.parameters) == 1
    assert weights.values.numel() == 16


OPTIMIZERS: dict[str, Callable[[], SGD | Adam | AdamW]] = {
    "sgd": lambda: SGD(lr=0.1, momentum=0, nesterov=False),
    "nesterov": lambda: SGD(lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda: Adam(lr=0.01),
    "adamw": lambda: AdamW(lr=0.01),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_an_optimizer_moves_the_vector_as_it_moves_the_parameters_one_by_one(
    make: Callable[[], SGD | Adam | AdamW],
) -> None:
    net = CNN(conv_widths=(3, 5), dense_widths=(7,), dropout_conv=0, dropout_dense=0).build(
        (3, 8, 8), 4, generator("net")
    )
    separate = copy.deepcopy(net)
    weights = FlatWeights(net)
    flat = make().make(weights)
    alone = [FlatWeights(nn.ParameterList([parameter])) for parameter in separate.parameters()]
    each = [make().make(one) for one in alone]
    start = weights.values.detach().clone()

    for step in range(5):
        rng = generator("gradients", step)
        for mine, other in zip(net.parameters(), separate.parameters(), strict=True):
            gradient = torch.randn(other.shape, generator=rng)
            mine.grad.copy_(gradient)
            other.grad.copy_(gradient)
        flat.step()
        for optimizer in each:
            optimizer.step()

    assert not torch.equal(weights.values, start)
    for mine, other in zip(net.parameters(), separate.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)
