"""Layers that PyTorch lacks, or has in a slow form, and how a network is put together from layers.

Every operation of our networks is a module, so that `summary` can follow an image through them.
Max pooling is PyTorch's own: of six other forms none was faster on the CPU, forward and backward,
once the allocator reuses its memory.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from rungwise.models.base import Output

Step = tuple[str, nn.Module]
"""A layer and what it is: `("conv", nn.Conv2d(...))`."""

LEVELS = 2**16
"""Dropout compares random integers of 16 bits, so its rate is exact within 1/131072."""


def chain(*steps: Step) -> nn.Sequential:
    """Return the layers one after another, numbering the names that occur more than once.

    >>> [name for name, _ in chain(("dense", nn.ReLU()), ("dense", nn.ReLU())).named_children()]
    ['dense1', 'dense2']
    """
    network = nn.Sequential()
    add_steps(network, steps)
    return network


def add_steps(network: nn.Sequential, steps: Iterable[Step]) -> None:
    """Append the layers to `network`, numbering the names that occur more than once."""
    steps = list(steps)
    total = Counter(name for name, _ in steps)
    seen: Counter[str] = Counter()
    for name, module in steps:
        seen[name] += 1
        network.add_module(f"{name}{seen[name]}" if total[name] > 1 else name, module)


class Classifier(nn.Sequential):
    """A network that is one chain of layers, from the images (N, C, H, W) to the logits (N, K)."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        add_steps(self, steps)

    def forward(self, images: torch.Tensor) -> Output:
        values = images
        for layer in self:
            values = layer(values)
        return Output(values)


def dense_steps(inputs: int, widths: Sequence[int]) -> list[Step]:
    """Return fully connected layers with a ReLU after each: (N, inputs) to (N, widths[-1])."""
    steps: list[Step] = []
    for width in widths:
        steps += [("dense", nn.Linear(inputs, width)), ("relu", nn.ReLU(inplace=True))]
        inputs = width
    return steps


def dropout_steps(rate: float) -> list[Step]:
    """Return a dropout, or nothing when the rate is 0."""
    return [("dropout", Dropout(rate))] if rate else []


class Dropout(nn.Module):
    """Set a share of the values to 0 while training and scale the others up to make up for it.

    As `nn.Dropout`, but about four times as fast on the CPU, where PyTorch draws one Bernoulli
    number after another: 49 instead of 204 ms, forward and backward, for (500, 64, 32, 32) in
    bfloat16 on two cores. The draws come from PyTorch's global generator.

    Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting".

    Args:
        rate: The share that is dropped, from 0 up to but not including 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.rate:
            return values
        if values.device.type != "cpu":
            return F.dropout(values, self.rate)
        return drop(values, self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def drop(values: torch.Tensor, rate: float) -> torch.Tensor:
    """Return `values` (any shape, on the CPU) with a random share set to 0 and the rest scaled."""
    threshold = min(round(rate * LEVELS), LEVELS - 1)
    keep = random_levels(values) >= threshold - LEVELS // 2
    # The scale is a number, not part of the mask: rounded to bfloat16, 4/3 would be 0.2% too large.
    return (values * keep.to(values.dtype)).mul_(LEVELS / (LEVELS - threshold))


def random_levels(like: torch.Tensor) -> torch.Tensor:
    """Draw int16 over its whole range, in the shape and memory order of `like`."""
    count = like.numel()
    # One draw of 64 bits makes four levels: drawing is what a dropout costs.
    words = torch.empty((count + 3) // 4, dtype=torch.int64, device="cpu").random_(-(2**63), None)
    levels = words.view(torch.int16)[:count]
    if like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last):
        n, c, h, w = like.shape
        return levels.view(n, h, w, c).permute(0, 3, 1, 2)
    return levels.view(like.shape)


class SameConv2d(nn.Conv2d):
    """A convolution whose stride is its kernel's size and which loses no pixel at the edge.

    Zeros are added below and on the right where the size does not divide, as Keras's 'same'
    padding does: (N, C, H, W) to (N, width, ceil(H / size), ceil(W / size)).
    """

    def __init__(self, channels: int, width: int, size: int) -> None:
        super().__init__(channels, width, kernel_size=size, stride=size)
        self.size = size

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        below, right = -height % self.size, -width % self.size
        if below or right:
            images = F.pad(images, (0, right, 0, below))
        return super().forward(images)


class WhitenedConv2d(nn.Conv2d):
    """A convolution whose filters are fixed and come in pairs, one the other's negative.

    (N, C, H, W) to (N, 2·pairs, H - size + 1, W - size + 1). Before the technique `whitening` sets
    them, the filters are drawn at random as any others; the bias is trained.

    Args:
        channels: C.
        size: Height and width of the filters, in pixels.
        pairs: Of filters, C·size² at most.
    """

    def __init__(self, channels: int, size: int, pairs: int) -> None:
        super().__init__(channels, 2 * pairs, size)
        self.weight.requires_grad_(False)


class Residual(nn.Module):
    """Layers whose output is added to their input, of the same shape.

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
    """

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self.layers = chain(*steps)
        self.add = Add()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        changed = values
        for layer in self.layers:
            changed = layer(changed)
        total: torch.Tensor = self.add(values, changed)
        return total


class Add(nn.Module):
    """Add two tensors of one shape."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left + right


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor:.4g}"


class GlobalAveragePool(nn.Module):
    """The mean of each channel's map: (N, C, H, W) to (N, C)."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean((2, 3))


class GlobalMaxPool(nn.Module):
    """The largest value of each channel's map: (N, C, H, W) to (N, C)."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        # Not `amax`, which is slower on the CPU and shares the gradient among equal values.
        return F.max_pool2d(maps, (maps.shape[2], maps.shape[3])).flatten(1)
