"""Instructions without a product."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rungwise.models.initialization import KerasBatchNorm
from rungwise.models.input import ScaledNetwork
from rungwise.native.kernels import Normed
from rungwise.training.program.instruction import Below, Instruction, Page, in_order
from rungwise.training.program.products import Tail


@dataclass(kw_only=True, eq=False)
class Scaling(Instruction):
    """The net's input scaling: (images - mean) / std, in the program's format."""

    net: ScaledNetwork

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        images = in_order(self.net.with_own_channels(values[0]))
        mean, std = self.net.mean.view(-1), self.net.std.view(-1)
        return self.kernels.scale(images, mean, std, self.dtype)

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [None]


@dataclass(kw_only=True, eq=False)
class Normalization(Instruction):
    """Batch normalisation [GELU]; `relu` says that its input came out of a ReLU."""

    layer: nn.BatchNorm2d
    gelu: bool = False
    relu: bool = False

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        layer = self.layer
        weight, bias = layer.weight.detach(), layer.bias.detach()
        mean, inverse = torch.empty_like(weight), torch.empty_like(weight)
        normed = Normed(in_order(values[0]), weight, bias, mean, inverse)
        page.kept = normed
        share = layer.next_share() if isinstance(layer, KerasBatchNorm) else layer.momentum
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
        running = layer.running_mean, layer.running_var
        return self.kernels.norm(normed, running, share, layer.eps, self.gelu)  # type: ignore[arg-type]

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        gradient = in_order(gradient)
        normed = Normed(*page.take())
        weight, bias = self.gradients
        return [self.kernels.norm_backward(gradient, normed, weight, bias, self.gelu, self.relu)]


@dataclass(kw_only=True, eq=False)
class Pooling(Instruction):
    """2×2 max pooling that follows no product."""

    tail: Tail

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        return self.tail.forward(self.kernels, page, in_order(values[0]))

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [self.tail.backward(self.kernels, page.take(), in_order(gradient))]


@dataclass(kw_only=True, eq=False)
class Dropping(Instruction):
    """Dropout that follows neither ReLU nor pooling."""

    rate: float

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        made = in_order(values[0]).clone()
        self.kernels.drop(made, page.drop(self.rate, 1), relu=False)
        return made

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        gradient = in_order(gradient)
        self.kernels.drop(gradient, page.drop(self.rate, 1), relu=False)
        return [gradient]


@dataclass(kw_only=True, eq=False)
class Flattening(Instruction):
    """(N, C, H, W) to (N, C·H·W)."""

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        page.kept = values[0].shape
        return values[0].flatten(1)

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [in_order(gradient.reshape(page.take()))]


@dataclass(kw_only=True, eq=False)
class Unflattening(Instruction):
    """(N, C·H·W) to (N, C, H, W)."""

    shape: tuple[int, ...]

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        return in_order(values[0].view(-1, *self.shape))

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [gradient.flatten(1)]


@dataclass(kw_only=True, eq=False)
class Squashing(Instruction):
    """The sigmoid."""

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        made = values[0].sigmoid()
        page.kept = (made,)
        return made

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [torch.ops.aten.sigmoid_backward.default(gradient, *page.take())]


@dataclass(kw_only=True, eq=False)
class Gelu(Instruction):
    """GELU that follows no normalisation."""

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        page.kept = values
        return F.gelu(values[0])

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [torch.ops.aten.gelu_backward.default(gradient, *page.take())]


@dataclass(kw_only=True, eq=False)
class Averaging(Instruction):
    """The mean of each channel's map: (N, C, H, W) to (N, C)."""

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        page.kept = values[0].shape[2:]
        return values[0].mean((2, 3))

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        height, width = page.take()
        share = (gradient / (height * width))[:, :, None, None].expand(-1, -1, height, width)
        return [in_order(share)]


@dataclass(kw_only=True, eq=False)
class Adding(Instruction):
    """The sum of two values."""

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        return values[0] + values[1]

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        return [gradient, gradient.clone()]


@dataclass(kw_only=True, eq=False)
class Recorded(Instruction):
    """Any other layer, without randomness of its own: PyTorch records and leads back."""

    layer: nn.Module

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        taken = [value.detach().requires_grad_() for value in values]
        with torch.enable_grad(), torch.autocast("cpu", self.dtype, self.dtype != torch.float32):
            # Copies, for a layer that works in place.
            made: torch.Tensor = self.layer(*[value.clone() for value in taken])
        page.kept = (made, *taken)
        return made.detach()

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        made, *taken = page.take()
        trained = list(zip(self.layer.parameters(), self.gradients, strict=True))
        trained = [pair for pair in trained if pair[0].requires_grad]
        sources = [*taken, *[parameter for parameter, _ in trained]]
        found = torch.autograd.grad(made, sources, gradient.to(made.dtype))
        for (_, target), own in zip(trained, found[len(taken) :], strict=True):
            target.copy_(own)
        return list(found[: len(taken)])
