"""The initial weights of a network, drawn from one given generator and from nothing else."""

import math
from collections.abc import Callable

import torch
from torch import nn

from rungwise.models.size import require_memory

KERAS_EPSILON = 1e-3
"""What Keras's batch normalisation adds to the variance."""

KERAS_MOMENTUM = 0.01
"""Share of the new batch in the running statistics; Keras writes it as 0.99 for the old ones."""

WARM_UP = 10
"""Batches over which the share of a new batch falls from 1 to a half."""


def glorot_uniform(layer: nn.Conv2d | nn.Linear) -> float:
    """Return the limit of the uniform distribution that Keras draws weights from.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward
    neural networks".
    """
    outputs, inputs, *kernel = layer.weight.shape
    return math.sqrt(6 / ((inputs + outputs) * math.prod(kernel)))


def fan_in_uniform(layer: nn.Conv2d | nn.Linear) -> float:
    """Return the limit of the uniform distribution that PyTorch draws weights from."""
    return 1 / math.sqrt(math.prod(layer.weight.shape[1:]))


class KerasBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with Keras's defaults, but for the start of its running statistics.

    After n batches a batch counts 10 / (n + 10), so that only the last tenth of the steps weighs;
    from 990 steps on it counts 1%, as in Keras. Keras itself starts from mean 0 and variance 1 and
    forgets that so slowly that a deep net answers at chance for hundreds of steps while it has
    long learned (docs/log.md).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=KERAS_EPSILON, momentum=KERAS_MOMENTUM)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if self.training and not values.is_meta:
            self.momentum = self.next_share()
        return super().forward(values)

    def next_share(self) -> float:
        """Return the share of the next batch in the running statistics."""
        tracked = self.num_batches_tracked
        seen = 0 if tracked is None else int(tracked)
        return max(KERAS_MOMENTUM, WARM_UP / (seen + WARM_UP))


def materialize(
    construct: Callable[[], nn.Module],
    rng: torch.Generator | None,
    limit: Callable[[nn.Conv2d | nn.Linear], float] = glorot_uniform,
) -> nn.Module:
    """Construct a network and draw its weights; PyTorch's global generator is left alone.

    Args:
        construct: Makes the modules; called where tensors have a shape and no memory.
        rng: The only source of the weights; None leaves the network without memory.
        limit: Gives the bound of a layer's uniform weights; biases start at 0, and batch
            normalisation at scale 1, shift 0, mean 0 and variance 1.

    Returns:
        The network, in training mode; on the CPU, or where tensors have no memory.

    Raises:
        ConfigError: The network is too large for the memory.
    """
    with torch.device("meta"):
        network = construct()
    network.float()  # Layers take the host program's default dtype.
    require_memory(network)
    if rng is None:
        return network
    network.to_empty(device="cpu")
    for module in network.modules():
        _initialize(module, rng, limit)
    return network


@torch.no_grad()
def _initialize(
    module: nn.Module, rng: torch.Generator, limit: Callable[[nn.Conv2d | nn.Linear], float]
) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        bound = limit(module)
        draws = torch.empty(module.weight.shape, device=rng.device, dtype=torch.float32)
        module.weight.copy_(draws.uniform_(-bound, bound, generator=rng))
        if module.bias is not None:
            module.bias.zero_()
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif _own_tensors(module):
        # Its tensors would hold whatever was in memory before.
        raise TypeError(f"no initial weights are defined for {type(module).__name__}")


@torch.no_grad()
def keep_input(block: nn.Module) -> None:
    """Let the 3×3 convolutions in `block` hand their input on: identity (Dirac) initialisation.

    Of a filter bank (O, C, 3, 3) the first min(O, C) filters become the identity of one channel
    each; the others stay as they were drawn.

    Source: Zagoruyko & Komodakis 2017, "DiracNets", arXiv:1706.00388; partly, as
    arXiv:2404.00498 does it.
    """
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            outputs, inputs, height, width = layer.weight.shape
            same = torch.arange(min(outputs, inputs), device="cpu")
            layer.weight[: len(same)] = 0
            layer.weight[same, same, height // 2, width // 2] = 1


def _own_tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]
