import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.models import (
    CNN,
    MODELS,
    Compact,
    Model,
    Multitask,
    VGGBenchmark,
    VGGDeep,
)
from rungwise.models.base import Output
from rungwise.models.initialization import KerasBatchNorm
from rungwise.models.input import InputScaling, ScaledNetwork, input_statistics
from rungwise.models.layers import Add, Classifier, Dropout, GlobalAveragePool, chain
from rungwise.native import kernels
from rungwise.randomness import generator
from rungwise.techniques import Batch, Reconstruction, Technique
from rungwise.training.objective import Objective
from rungwise.training.passes import Pass, Recorded
from rungwise.training.precision import dtype_of
from rungwise.training.program import Program
from rungwise.training.recipe import Precision
from rungwise.training.weights import FlatWeights

SMALL: dict[str, Model] = {
    "compact": Compact(widths=(16, 32)),
    "cnn": CNN(conv_widths=(8, 8), dropout_conv=0, dropout_dense=0),
    "multitask": Multitask(conv_width=8, dense_width=16, dropout=0),
    "vgg-benchmark": VGGBenchmark(
        widths=(8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0
    ),
    "vgg-deep": VGGDeep(widths=(8, 8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0),
}
"""Settings for quick tests on images of 8×8 pixels, without dropout."""

VARIANTS: dict[str, Model] = {
    **{name: SMALL.get(name) or model() for name, model in MODELS.items()},
    "cnn, border, average": CNN(
        conv_widths=(8, 5), border=2, pooling="average", dropout_conv=0, dropout_dense=0
    ),
    "cnn, pooling each": CNN(
        conv_widths=(8, 24), conv_edge="same", pooling_place="each", dropout_conv=0, dropout_dense=0
    ),
    "compact, average": Compact(widths=(16, 33), pooling="average"),
    "vgg-deep, no norm": VGGDeep(
        widths=(8, 8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0, normalization=False
    ),
}

needs_compiler = pytest.mark.skipif(kernels() is None, reason="no C++ compiler here")
pytestmark = needs_compiler
formats = pytest.mark.parametrize("number_format", ["float32", "bfloat16"])
variants = pytest.mark.parametrize("model", VARIANTS.values(), ids=VARIANTS.keys())

CLASSES = 5
NOISE = {"float32": 1e-6, "bfloat16": 2.0**-9}
"""The relative error that rounding makes in a net of one layer."""


@dataclass(frozen=True)
class Watch(Technique):
    """Keep what the net returns."""

    seen: list[Output] = field(default_factory=list)

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        self.seen.append(output)
        return loss


def scaled(net: nn.Module, channels: int = 3, *, seed: int = 0) -> ScaledNetwork:
    """Return the net as a training has it, its normalisations with weights that are not 1 and 0."""
    rng = generator(seed, "norms")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=rng)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=rng)
    whole = ScaledNetwork(net, torch.full((channels,), 0.5), torch.full((channels,), 0.25))
    return whole.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]


def built(model: Model, shape: tuple[int, int, int] = (3, 8, 8), seed: int = 0) -> ScaledNetwork:
    return scaled(model.build(shape, CLASSES, generator(seed, "weights")), shape[0], seed=seed)


def toy(*steps: tuple[str, nn.Module]) -> ScaledNetwork:
    return scaled(seeded(Classifier(*steps)))


def seeded(net: nn.Module) -> nn.Module:
    rng = generator("toy")
    for parameter in net.parameters():
        nn.init.uniform_(parameter, -0.3, 0.3, generator=rng)
    return net


def some_batch(shape: tuple[int, int, int] = (3, 8, 8), n: int = 12, seed: int = 0) -> Batch:
    images = torch.rand(n, *shape, generator=generator(seed, "images"))
    targets = torch.randn(n, CLASSES, generator=generator(seed, "targets")).softmax(1)
    return Batch(images.contiguous(memory_format=torch.channels_last), targets)


@dataclass(frozen=True)
class Found:
    gradients: list[torch.Tensor]
    sums: torch.Tensor
    net: ScaledNetwork


def found_by(
    kind: str,
    net: ScaledNetwork,
    batch: Batch,
    number_format: Precision = "float32",
    techniques: Sequence[Technique] = (),
    key: int = 1,
) -> Found:
    """Return what `Program` or `Recorded` finds on a copy of `net`."""
    net = copy.deepcopy(net)
    weights = FlatWeights(net)
    one: Pass
    if kind == "program":
        compiled = kernels()
        assert compiled is not None
        one = Program(net, weights, dtype_of(number_format), compiled)
    else:
        one = Recorded(net, weights, number_format)
    sums = torch.zeros(2, dtype=torch.float64)
    one.gradients(Objective(batch, techniques), key, sums)
    return Found([part.clone() for part in weights.parts_of(weights.gradients)], sums, net)


def exact(
    net: ScaledNetwork, batch: Batch, reconstruction: float = 0
) -> tuple[Found, Output, torch.Tensor]:
    """Return gradients, output and loss by autograd in float64."""
    net = copy.deepcopy(net).double()
    images, targets = batch.images.double(), batch.targets.double()
    output = net(images)
    loss = F.cross_entropy(output.logits, targets)
    if reconstruction:
        loss = loss + reconstruction * F.mse_loss(output.reconstruction, images)
    parameters = list(net.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    gradients = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(parameters, found, strict=True)
    ]
    right = (output.logits.argmax(1) == targets.argmax(1)).sum()
    sums = torch.stack([loss.detach() * len(images), right.double()])
    return Found(gradients, sums, net), output, loss


def errors(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return each tensor's error as a share of its size, or of a hundredth of the whole's size.

    A bias before a normalisation has a gradient of 0: of its own size, its error would be anything.
    """
    floor = torch.stack([one.norm() for one in expected]).norm() / 100
    pairs = zip(found, expected, strict=True)
    return torch.stack([(a.double() - b).norm() / b.norm().clamp_min(floor) for a, b in pairs])


@variants
@formats
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradients_are_as_exact_as_pytorchs_own(
    model: Model, number_format: Precision, seed: int
) -> None:
    net, batch = built(model, seed=seed), some_batch(seed=seed)
    techniques = [Reconstruction(weight=3.0)] if model.reconstructs else []
    expected, _, _ = exact(net, batch, 3.0 if model.reconstructs else 0)

    ours, theirs = (
        found_by(kind, net, batch, number_format, techniques) for kind in ("program", "recorded")
    )

    own, other = (errors(one.gradients, expected.gradients) for one in (ours, theirs))
    print("RATIO", number_format, (own.norm() / (other.norm()+NOISE[number_format])).item(), (own / (other + 4*NOISE[number_format])).max().item(), own.max().item(), other.max().item())
