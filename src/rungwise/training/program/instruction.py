"""What a program is made of: instructions, each a few layers with their way back.

An instruction takes the values at its inputs and makes one value; on the way back it takes the
gradient of that value and gives those of its inputs and parameters. What it needs for the way back
it leaves on its page of the tape. It may change a gradient that it was given, never a value.
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from rungwise.native import Kernels
from rungwise.native.kernels import KEEP_ALL, Drop

_ODD = 0x9E3779B97F4A7C15
_WORD = 2**64 - 1

Below = list[torch.Tensor | None]
"""The gradients of an instruction's inputs, in their order."""


class Page:
    """An instruction's page of the tape: its random key, and what it keeps for the way back."""

    __slots__ = ("kept", "key")

    def __init__(self, key: int) -> None:
        self.key = key
        self.kept: tuple[Any, ...] = ()

    def take(self) -> tuple[Any, ...]:
        """Return what was kept and let go of it."""
        kept, self.kept = self.kept, ()
        return kept

    def drop(self, rate: float, which: int) -> Drop:
        """Return the dropout number `which` of the instruction."""
        return Drop(rate, (self.key + which * _ODD) & _WORD) if rate else KEEP_ALL


def page(key: int, position: int) -> Page:
    """Return an empty page for the instruction at `position` of a pass with this key."""
    return Page((key ^ (2 * position + 1) * _ODD) & _WORD)


def in_order(values: torch.Tensor) -> torch.Tensor:
    """Return values as they are, or copied to lie as the kernels ask: maps channels-last."""
    if values.dim() == 4:
        return values.contiguous(memory_format=torch.channels_last)
    return values.contiguous()


@dataclass(kw_only=True, eq=False)
class Instruction:
    """One step of a program.

    Args:
        dtype: Of products and values.
        kernels: The compiled operations.
        weights: The parameters in the program's format.
        gradients: Where their gradients go, float32; of fixed ones nobody reads it.
        trains: Which of them are trained.
        inputs: Numbers of the values that it takes.
        output: Number of the value that it makes.
        last_uses: Numbers of the values that nobody takes after it.
        leads_back: Whether its inputs' gradients are asked for.
    """

    dtype: torch.dtype
    kernels: Kernels
    weights: list[torch.Tensor] = field(default_factory=list)
    gradients: list[torch.Tensor] = field(default_factory=list)
    trains: list[bool] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    output: int = 0
    last_uses: list[int] = field(default_factory=list)
    leads_back: bool = True

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        """Return the value; keep on `page` what the way back needs."""
        raise NotImplementedError

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        """Write the parameters' gradients and return the inputs', given the value's."""
        raise NotImplementedError

    def forget(self) -> None:
        """Set the parameters' gradients to 0: the loss does not depend on the value."""
        for gradient in self.gradients:
            gradient.zero_()

    @property
    def bias(self) -> torch.Tensor | None:
        """The second parameter, where there is one."""
        return self.weights[1] if len(self.weights) > 1 else None
