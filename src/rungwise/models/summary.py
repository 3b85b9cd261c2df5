"""What a network consists of, layer by layer, and what a pass through it costs.

An image's shape is followed through the network without computing anything: the tensors have
shapes and no memory, so a large network costs no more than a small one.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rungwise.models.base import Model, Output
from rungwise.models.layers import Dropout, GlobalAveragePool, GlobalMaxPool, Scale

INPUT = "input"
"""The name of the image among a layer's inputs."""

ACTIVATIONS = {nn.ReLU: "relu", nn.GELU: "gelu", nn.Sigmoid: "sigmoid"}

BATCH = 2
"""Images in the pass that is followed; batch normalisation refuses to train on one."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a network, together with the activation that follows it.

    Args:
        name: Where it is in the network, such as `encoder.conv1`.
        kind: What it is in one word: conv, dense, pool, norm, dropout, flatten, add …
        description: Its settings and its activation, such as "3×3, 64, relu".
        inputs: The names of the layers whose output it takes; `INPUT` for the image.
        output: The shape of its output for one image.
        parameters: Trainable numbers.
        flops: Floating-point operations for one image, forward: two for each multiply-add of a
            convolution or a matrix product; others are not counted.
    """

    name: str
    kind: str
    description: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]
    parameters: int
    flops: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A network's layers in the order of the forward pass, and what they add up to.

    Args:
        shape: (C, H, W) of one image.
        layers: The layers.
        heads: For each of the network's outputs, "logits" and maybe "reconstruction", the name of
            the layer that it comes from.
        parameters: Trainable numbers of the whole network.
        flops: Floating-point operations for one image, forward.
        training_flops_per_image: The same, forward and backward.
    """

    shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    heads: Mapping[str, str]
    parameters: int
    flops: int
    training_flops_per_image: int


@functools.cache
def summarize(
    model: Model,
    shape: tuple[int, int, int],
    classes: int,
    frozen: frozenset[str] = frozenset(),
) -> Summary:
    """Build a model's network and follow an image through it; done once for the same arguments.

    Args:
        model: The architecture's settings.
        shape: (C, H, W) of one image.
        classes: K.
        frozen: Names of modules of the network that are not trained: the way back leads into their
            weights no more, and ends where nothing below is trained.

    Raises:
        ConfigError: The architecture cannot take images of this shape.

    >>> from rungwise.models.mlp import MLP
    >>> summary = summarize(MLP(), (1, 28, 28), 10)
    >>> [layer.name for layer in summary.layers], summary.parameters
    (['flatten', 'dense', 'logits'], 101770)
    """
    network = model.build(shape, classes, None).to("meta")
    for name in frozen:
        network.get_submodule(name).requires_grad_(False)
    images = torch.empty(BATCH, *shape, device="meta", dtype=torch.float32)
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        trace = _Trace(network, images, counter)
        output: Output = network(images)
        forward = counter.get_total_flops()
        heads = [head.sum() for head in output if head is not None]
        torch.autograd.backward(heads)
    return Summary(
        shape=shape,
        layers=tuple(trace.layers.values()),
        heads=trace.heads(output),
        parameters=count_parameters(network),
        flops=forward // BATCH,
        training_flops_per_image=counter.get_total_flops() // BATCH,
    )


def training_flops_per_image(model: Model, shape: tuple[int, int, int], classes: int) -> int:
    """Return the floating-point operations of one forward and backward pass, for one image."""
    return summarize(model, shape, classes).training_flops_per_image


def count_parameters(network: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)


class _Trace:
    """Records a layer at each call of a module that has no modules inside.

    A tensor is known by its identity: whoever takes a tensor that another layer has returned comes
    after that layer. So all that a network does to an image has to be done by modules.
    """

    def __init__(self, network: nn.Module, images: torch.Tensor, counter: FlopCounterMode) -> None:
        self.layers: dict[str, Layer] = {}
        self._counter = counter
        self._counted = 0
        self._sources = {id(images): INPUT}
        self._alive = [images]  # An identity is used again when its tensor is freed.
        for name, module in network.named_modules():
            if not list(module.children()):
                module.register_forward_hook(functools.partial(self._record, name))

    def heads(self, output: Output) -> dict[str, str]:
        heads = output._asdict()
        return {head: self._source(values) for head, values in heads.items() if values is not None}

    def _record(
        self, name: str, module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        inputs = tuple(self._source(arg) for arg in args)
        flops = self._counter.get_total_flops() - self._counted
        self._counted += flops
        activation = ACTIVATIONS.get(type(module))
        if activation and inputs[0] in self.layers:
            name = inputs[0]
            before = self.layers[name]
            description = ", ".join(filter(None, (before.description, activation)))
            self.layers[name] = replace(before, description=description)
        else:
            kind, description = _describe(module)
            self.layers[name] = Layer(
                name=name,
                kind=kind,
                description=description,
                inputs=inputs,
                output=tuple(output.shape[1:]),
                parameters=count_parameters(module),
                flops=flops // BATCH,
            )
        self._sources[id(output)] = name
        self._alive.append(output)

    def _source(self, tensor: torch.Tensor) -> str:
        latest = next(reversed(self.layers), INPUT)
        return self._sources.get(id(tensor), latest)


def _describe(module: nn.Module) -> tuple[str, str]:
    """Return a layer's kind and its settings, in words."""
    match module:
        case nn.Conv2d():
            return "conv", f"{_kernel(module)}, {module.out_channels}"
        case nn.Linear():
            return "dense", str(module.out_features)
        case nn.MaxPool2d() | nn.AvgPool2d():
            form = "max" if isinstance(module, nn.MaxPool2d) else "average"
            return "pool", f"{form} {module.kernel_size}×{module.kernel_size}"
        case GlobalMaxPool() | GlobalAveragePool():
            return "pool", "global max" if isinstance(module, GlobalMaxPool) else "global average"
        case Dropout():
            return "dropout", f"rate {module.rate:g}"
        case nn.BatchNorm2d():
            return "norm", "batch norm"
        case nn.Upsample():
            return "upsample", f"×{module.scale_factor:g}"
        case nn.ZeroPad2d():
            return "border", f"{module.padding[0]} px of zeros"
        case nn.Flatten():
            return "flatten", ""
        case nn.Unflatten():
            return "reshape", ""
        case Scale():
            return "scale", f"×{module.factor:.3g}"
        case _:
            return type(module).__name__.lower(), module.extra_repr()


def _kernel(conv: nn.Conv2d) -> str:
    height, width = conv.kernel_size
    if conv.stride != (1, 1):
        return f"{height}×{width} stride {conv.stride[0]}"
    loses_edge = conv.padding == (0, 0) and (height, width) != (1, 1)
    return f"{height}×{width} valid" if loses_edge else f"{height}×{width}"
