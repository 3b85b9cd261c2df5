import copy

import pytest
import torch
from torch import nn

from rungwise.models import MLP, Compact
from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork
from rungwise.models.layers import Classifier
from rungwise.native import kernels
from rungwise.randomness import generator
from rungwise.techniques import Batch
from rungwise.training import passes
from rungwise.training.objective import Objective
from rungwise.training.passes import Pass, Recorded, make_pass, seeded_globally
from rungwise.training.precision import Precision
from rungwise.training.program import Program
from rungwise.training.weights import FlatWeights

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(kernels() is None, reason="no C++ compiler here")


def scaled(net: nn.Module) -> ScaledNetwork:
    whole = ScaledNetwork(net, torch.zeros(3), torch.ones(3))
    return whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def small_net() -> ScaledNetwork:
    return scaled(Compact(widths=(8, 16), stem_width=4).build((3, 8, 8), 4, generator("net")))


def some_objective() -> Objective:
    images = torch.rand(6, 3, 8, 8, generator=generator("images"))
    targets = torch.randn(6, 4, generator=generator("targets")).softmax(1)
    return Objective(Batch(images.contiguous(memory_format=torch.channels_last), targets), ())


def pass_of(net: ScaledNetwork, number_format: Precision = "float32") -> Pass:
    return make_pass(net, FlatWeights(net), number_format)


@needs_compiler
@pytest.mark.parametrize(
    "number_format", ["float32", pytest.param("bfloat16", marks=pytest.mark.bfloat16)]
)
def test_on_the_cpu_a_net_of_layers_is_a_program(number_format: Precision) -> None:
    assert isinstance(pass_of(small_net(), number_format), Program)


def test_without_kernels_pytorch_runs_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "kernels", lambda: None)

    assert isinstance(pass_of(small_net()), Recorded)


def test_a_net_that_cannot_be_translated_is_run_by_pytorch() -> None:
    net = scaled(Classifier(("flatten", nn.Flatten()), ("dropout", nn.Dropout())))
    net.register_parameter("unused", nn.Parameter(torch.ones(1)))

    assert isinstance(pass_of(net), Recorded)


class Drawing(nn.Module):
    """A net with randomness in its own forward, which tells what it drew."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.drawn: list[float] = []

    def forward(self, images: torch.Tensor) -> Output:
        self.drawn.append(torch.rand(()).item())
        return Output(images.flatten(1)[:, :4] * self.weight)


def test_choosing_a_pass_leaves_the_global_generator_alone() -> None:
    net = scaled(Drawing())
    before = torch.get_rng_state()

    pass_of(net)

    assert torch.equal(torch.get_rng_state(), before)


def test_pytorchs_pass_draws_from_its_key_alone() -> None:
    net = scaled(Drawing())
    one = Recorded(net, FlatWeights(net), "float32")
    before = torch.get_rng_state()

    for key in (2**62 - 1, 5, 2**62 - 1):
        one.gradients(some_objective(), key, torch.zeros(2, dtype=torch.float64))

    first, other, again = net.net.drawn
    assert first == again
    assert first != other
    assert torch.equal(torch.get_rng_state(), before)


@needs_compiler
def test_both_passes_give_the_same_gradients_and_sums() -> None:
    found = []
    for kind in (Program, Recorded):
        net = small_net().train()
        weights = FlatWeights(net)
        compiled = kernels()
        assert compiled is not None
        one: Pass
        if kind is Program:
            one = Program(net, weights, torch.float32, compiled)
        else:
            one = Recorded(net, weights, "float32")
        sums = torch.zeros(2, dtype=torch.float64)
        one.gradients(some_objective(), 3, sums)
        found.append((weights.gradients, sums, dict(net.named_buffers())))

    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)
    assert found[0][0].any()


@pytest.mark.parametrize("without_kernels", [False, True])
def test_gradients_of_a_linear_net_follow_by_hand(
    without_kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_kernels:
        monkeypatch.setattr(passes, "kernels", lambda: None)
    net = scaled(MLP(hidden_widths=()).build((3, 1, 1), 2, generator(0)))
    with torch.no_grad():
        net.net.logits.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    images = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]])[:, :, None, None]
    targets = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    sums = torch.tensor([10.0, 20.0], dtype=torch.float64)

    pass_of(net).gradients(Objective(Batch(images, targets), ()), 0, sums)

    share = 1 / (1 + torch.e**1)  # of class 0 for the first image, whose logits are 0 and 1
    slope = torch.tensor([share, -share]) / 2
    expected = slope[:, None] * torch.tensor([1.0, 0.5, 0.0])
    torch.testing.assert_close(net.net.logits.weight.grad, expected)
    torch.testing.assert_close(net.net.logits.bias.grad, slope)
    loss = torch.log1p(torch.tensor(-1.0).exp()) + torch.tensor(2.0).log()
    assert sums[0].item() == pytest.approx(10 + loss.item(), rel=1e-6)
    assert sums[1].item() == 22  # of two equal logits, and of two equal targets, the first counts


def test_gradients_of_the_step_before_are_forgotten() -> None:
    net = small_net()
    weights = FlatWeights(net)
    again = copy.deepcopy(net)
    fresh = FlatWeights(again)
    weights.gradients.fill_(100)
    sums = torch.zeros(2, dtype=torch.float64)

    Recorded(net, weights, "float32").gradients(some_objective(), 1, sums)
    Recorded(again, fresh, "float32").gradients(some_objective(), 1, sums)

    assert torch.equal(weights.gradients, fresh.gradients)


def test_seeding_is_for_the_block_alone() -> None:
    before = torch.get_rng_state()

    with seeded_globally(7, CPU):
        first = torch.rand(3)
    with seeded_globally(7, CPU):
        second = torch.rand(3)
    with seeded_globally(8, CPU):
        other = torch.rand(3)

    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
