"""From a net to the instructions of its program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from rungwise.models.base import Output
from rungwise.models.initialization import KerasBatchNorm
from rungwise.models.input import ScaledNetwork
from rungwise.models.layers import Add, Dropout, GlobalAveragePool, SameConv2d, WhitenedConv2d
from rungwise.native import Kernels
from rungwise.training.program.fast_convolution import FastConvolution, pays
from rungwise.training.program.instruction import Instruction
from rungwise.training.program.operations import (
    Adding,
    Averaging,
    Dropping,
    Flattening,
    Gelu,
    Normalization,
    Pooling,
    Recorded,
    Scaling,
    Squashing,
    Unflattening,
)
from rungwise.training.program.products import Convolution, Dense, FirstPooled, Patches, Tail

IMAGES = 1
"""The number of the value that holds the scaled images."""
KNOWN = ("torch.nn.modules.", "rungwise.models.")
"""Where the layers come from that PyTorch may run inside a program."""
DRAWING = ("torch.nn.modules.dropout", "torch.nn.modules.activation.RReLU")
"""Those among them that draw random numbers of their own, which a program cannot key."""


class Untranslatable(Exception):
    """The net does something that no instruction does; PyTorch runs it then."""


class _Tracer(fx.Tracer):
    """Follows an image through a net whose every operation is a module (models.layers)."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(True for _ in m.children())


@dataclass(frozen=True)
class Common:
    """What all instructions of a program share.

    Args:
        dtype: Of products and values.
        kernels: The compiled operations.
        weights: For each trained parameter, its value in that format and where its gradient goes.
    """

    dtype: torch.dtype
    kernels: Kernels
    weights: dict[nn.Parameter, tuple[torch.Tensor, torch.Tensor]]

    def of(self, *layers: nn.Module) -> dict[str, Any]:
        """Return an instruction's arguments for the parameters of its layers."""
        parameters = [p for layer in layers for p in layer.parameters()]
        pairs = [self.weights.get(p) or self._fixed(p) for p in parameters]
        return {
            "dtype": self.dtype,
            "kernels": self.kernels,
            "weights": [pair[0] for pair in pairs],
            "gradients": [pair[1] for pair in pairs],
            "trains": [parameter.requires_grad for parameter in parameters],
        }

    def _fixed(self, parameter: nn.Parameter) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the value of a parameter that is not trained, and where a gradient may go."""
        return parameter.detach().to(self.dtype), torch.empty_like(parameter)


def translate(net: ScaledNetwork, common: Common) -> tuple[list[Instruction], list[int]]:
    """Return a net's instructions, and the numbers of the values that its `Output` is made of.

    Value 0 is the images.

    Raises:
        Untranslatable: The net's forward is more than layers one after another and branches.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            graph = _Tracer().trace(net.net)
    except Exception as error:  # Whatever a forward does when no image goes through it.
        raise Untranslatable(str(error)) from error
    modules = dict(net.net.named_modules())
    instructions: list[Instruction] = [Scaling(net=net, inputs=[0], output=IMAGES, **common.of())]
    numbers: dict[fx.Node, int] = {}
    outputs: list[int] = []
    for node in graph.nodes:
        if node in numbers:
            continue
        if node.op == "placeholder":
            numbers[node] = IMAGES
        elif node.target is Output:
            outputs = [numbers[value] for value in node.args if isinstance(value, fx.Node)]
        elif node.op != "output":
            chain = _chain(node, modules)
            taken = [numbers[source] for source in node.all_input_nodes]
            instruction = _instruction([_module(n, modules) for n in chain], taken, common)
            instruction.output = len(instructions) + 1
            numbers.update(dict.fromkeys(chain, instruction.output))
            instructions.append(instruction)
    _refuse_shared(instructions, outputs)
    _end_early(instructions)
    _join_norms(instructions, outputs)
    _free_early(instructions, outputs)
    return instructions, outputs


def _refuse_shared(instructions: list[Instruction], outputs: list[int]) -> None:
    gradients = [id(gradient) for step in instructions for gradient in step.gradients]
    if len(set(gradients)) != len(gradients):
        raise Untranslatable("two layers share a parameter")
    if len(set(outputs)) != len(outputs):
        raise Untranslatable("two outputs are one value")


def _module(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module:
    if node.op != "call_module" or node.kwargs or len(node.args) != len(node.all_input_nodes):
        raise Untranslatable(f"{node.name} is no layer")
    return modules[str(node.target)]


def _chain(node: fx.Node, modules: dict[str, nn.Module]) -> list[fx.Node]:
    """Return `node` and the nodes behind it that belong to the same instruction."""
    chain = [node]
    for fits in _followers(_module(node, modules)):
        users = list(chain[-1].users)
        if len(users) == 1 and users[0].op == "call_module":
            layers = [_module(n, modules) for n in chain]
            if fits(_module(users[0], modules), layers):
                chain.append(users[0])
    return chain


Fits = Callable[[nn.Module, list[nn.Module]], bool]


def _followers(first: nn.Module) -> list[Fits]:
    """Return what may follow a layer within one instruction, in this order, each once."""
    if _is_convolution(first):
        return [_is_relu, _is_drop_after_relu, _is_pool, _is_drop_after_pool]
    if type(first) is nn.Linear:
        return [_is_relu, _is_drop_after_relu]
    if _is_pool(first, []):
        return [_is_drop_after_pool]
    if _is_norm(first):
        return [_is_gelu]
    return []


def _is_convolution(layer: nn.Module) -> bool:
    return (
        type(layer) in (nn.Conv2d, SameConv2d, WhitenedConv2d)
        and not isinstance(layer.padding, str)
        and layer.padding_mode == "zeros"
    )


def _is_small_first(layer: nn.Conv2d, tail: Tail) -> bool:
    return (
        layer.in_channels in (1, 3)
        and (layer.kernel_size, layer.stride, layer.dilation) == ((3, 3), (1, 1), (1, 1))
        and layer.groups == 1
        and layer.padding in ((0, 0), (1, 1), (2, 2))
        and (tail.relu, tail.before, tail.pool, tail.ceil) == (True, 0.0, True, False)
    )


def _is_norm(layer: nn.Module) -> bool:
    return (
        type(layer) in (nn.BatchNorm2d, KerasBatchNorm)
        and bool(layer.affine and layer.track_running_stats)
        and layer.momentum is not None
    )


def _is_gelu(layer: nn.Module, before: list[nn.Module]) -> bool:
    return type(layer) is nn.GELU and layer.approximate == "none"


def _is_relu(layer: nn.Module, before: list[nn.Module]) -> bool:
    return type(layer) is nn.ReLU


def _is_drop_after_relu(layer: nn.Module, before: list[nn.Module]) -> bool:
    return type(layer) is Dropout and type(before[-1]) is nn.ReLU


def _is_drop_after_pool(layer: nn.Module, before: list[nn.Module]) -> bool:
    return type(layer) is Dropout and _is_pool(before[-1], [])


def _is_pool(layer: nn.Module, before: list[nn.Module]) -> bool:
    return (
        type(layer) is nn.MaxPool2d
        and layer.kernel_size in (2, (2, 2))
        and layer.stride in (2, (2, 2))
        and layer.padding in (0, (0, 0))
        and layer.dilation in (1, (1, 1))
    )


def _instruction(layers: list[nn.Module], taken: list[int], common: Common) -> Instruction:
    first, settings = layers[0], common.of(*layers)
    settings["inputs"] = taken
    if type(first) is SameConv2d:
        return Patches(size=first.size, tail=_tail(layers[1:]), **settings)
    if isinstance(first, nn.Conv2d) and _is_convolution(first):
        tail = _tail(layers[1:])
        kind = _kind_of_convolution(first, tail, taken, common)
        return kind(layer=first, tail=tail, **settings)
    if type(first) is nn.Linear:
        return Dense(tail=_tail(layers[1:]), **settings)
    if isinstance(first, nn.BatchNorm2d) and _is_norm(first):
        return Normalization(layer=first, gelu=len(layers) > 1, **settings)
    if _is_pool(first, []):
        return Pooling(tail=_tail(layers), **settings)
    if type(first) is Dropout:
        return Dropping(rate=first.rate, **settings)
    if type(first) is nn.Flatten and (first.start_dim, first.end_dim) == (1, -1):
        return Flattening(**settings)
    if type(first) is nn.Unflatten and first.dim == 1:
        return Unflattening(shape=tuple(first.unflattened_size), **settings)
    if type(first) is nn.Sigmoid:
        return Squashing(**settings)
    if _is_gelu(first, []):
        return Gelu(**settings)
    if type(first) is GlobalAveragePool:
        return Averaging(**settings)
    if type(first) is Add:
        return Adding(**settings)
    name = f"{type(first).__module__}.{type(first).__qualname__}"
    if not name.startswith(KNOWN) or name.startswith(DRAWING):
        raise Untranslatable(f"{name} is none of the layers that are known to be determined")
    return Recorded(layer=first, **settings)


def _kind_of_convolution(
    layer: nn.Conv2d, tail: Tail, taken: list[int], common: Common
) -> type[Convolution | FirstPooled]:
    if taken == [IMAGES] and _is_small_first(layer, tail):
        return FirstPooled
    return FastConvolution if pays(layer, common.kernels, common.dtype) else Convolution


def _tail(layers: list[nn.Module]) -> Tail:
    tail = Tail()
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            tail.relu = True
        elif isinstance(layer, nn.MaxPool2d):
            tail.pool, tail.ceil = True, layer.ceil_mode
        elif isinstance(layer, Dropout) and tail.pool:
            tail.after = layer.rate
        elif isinstance(layer, Dropout):
            tail.before = layer.rate
    return tail


def _join_norms(instructions: list[Instruction], outputs: list[int]) -> None:
    """Let a normalisation behind a ReLU lead the gradient through both in one pass."""
    takers: dict[int, list[Instruction]] = {}
    for step in instructions:
        for number in step.inputs:
            takers.setdefault(number, []).append(step)
    for step in instructions:
        (*others, taker) = takers.get(step.output, [None])
        if others or not isinstance(taker, Normalization) or step.output in outputs:
            continue
        if isinstance(step, Convolution) and step.tail.is_relu_alone:
            step.tail.followed_by_norm, taker.relu = True, True


def _end_early(instructions: list[Instruction]) -> None:
    """Note which instructions have nothing before them that is trained: there the way back ends."""
    trained: set[int] = set()
    for step in instructions:
        step.leads_back = not trained.isdisjoint(step.inputs)
        if step.leads_back or any(step.trains):
            trained.add(step.output)


def _free_early(instructions: list[Instruction], outputs: list[int]) -> None:
    """Note at each instruction which values nobody takes after it."""
    wanted = set(outputs)
    for step in reversed(instructions):
        step.last_uses = [number for number in step.inputs if number not in wanted]
        wanted.update(step.inputs)
