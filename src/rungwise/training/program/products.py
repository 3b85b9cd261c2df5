"""Instructions with a product: convolutions and dense layers, and what follows each directly."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from rungwise.native import Kernels
from rungwise.training.program.instruction import Below, Instruction, Page, in_order

SMALLEST_ONEDNN_PRODUCT = 2**21
"""Multiply-adds of a float32 product from which on oneDNN's pays for its dearer call."""


@dataclass(kw_only=True, eq=False)
class Tail:
    """What follows a product directly: [ReLU] [dropout] [2×2 max pooling [dropout]].

    Without pooling there is at most one dropout, and only after a ReLU.
    """

    relu: bool = False
    before: float = 0.0
    """Rate of the dropout before the pooling, or of the only one."""
    pool: bool = False
    ceil: bool = False
    """Whether a window of the pooling that sticks out counts."""
    after: float = 0.0
    """Rate of the dropout after the pooling."""
    followed_by_norm: bool = False
    """Whether the instruction behind leads the gradient through this one's ReLU as well."""

    @property
    def is_relu_alone(self) -> bool:
        return self.relu and not self.pool and not self.before

    def forward(
        self, kernels: Kernels, page: Page, made: torch.Tensor, rectified: bool = False
    ) -> torch.Tensor:
        """Pass on what the product made, in place where there is no pooling; keep the way back.

        Args:
            kernels: The compiled operations.
            page: Where the way back is kept.
            made: What the product made.
            rectified: Whether the product has applied a ReLU that stands alone already.
        """
        before, after = page.drop(self.before, 1), page.drop(self.after, 2)
        if self.pool:
            pooled, origin = kernels.pool(made, self.ceil, self.relu, before, after)
            page.kept += (origin, made.shape[2:])
            return pooled
        if self.before:
            kernels.drop(made, before, self.relu)
        elif self.relu and not rectified:
            made.relu_()
        if self.relu:
            page.kept += (made,)
        return made

    def backward(
        self, kernels: Kernels, kept: tuple[Any, ...], gradient: torch.Tensor
    ) -> torch.Tensor:
        """Return the gradient of what the product made."""
        if self.pool:
            origin, size = kept
            return kernels.pool_backward(gradient, origin, size, self.before, self.after)
        if self.relu and not self.followed_by_norm:
            (made,) = kept
            kernels.relu_drop_backward(gradient, made, self.before)
        return gradient


@dataclass(kw_only=True, eq=False)
class Convolution(Instruction):
    """A convolution and its tail."""

    layer: nn.Conv2d
    tail: Tail

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        (maps,) = values
        page.kept = (maps,)
        made = in_order(self._made(maps, self.tail.is_relu_alone))
        return self.tail.forward(self.kernels, page, made, rectified=self.tail.is_relu_alone)

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        maps, *kept = page.take()
        gradient = self.tail.backward(self.kernels, tuple(kept), in_order(gradient))
        return [self._led_back(maps, gradient)]

    def _made(self, maps: torch.Tensor, relu: bool) -> torch.Tensor:
        """Convolve [and apply ReLU]."""
        settings = (self._padding(), self.layer.stride, self.layer.dilation, self.layer.groups)
        made: torch.Tensor = torch.ops.mkldnn._convolution_pointwise.default(
            maps, self.weights[0], self.bias, *settings, "relu" if relu else "none", [], ""
        )
        return made

    def _led_back(self, maps: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor | None:
        """Write the parameters' gradients and return that of the maps, if it is asked for."""
        layer = self.layer
        below, weight, bias = torch.ops.aten.convolution_backward.default(
            gradient,
            maps,
            self.weights[0],
            None if self.bias is None else list(self.bias.shape),
            list(layer.stride),
            self._padding(),
            list(layer.dilation),
            False,
            [0, 0],
            layer.groups,
            [self.leads_back, self.trains[0], any(self.trains[1:])],
        )
        found = zip(self.gradients, self.trains, (weight, bias), strict=False)
        for target, trained, own in found:
            if trained:
                target.copy_(own)
        made: torch.Tensor | None = below
        return made

    def _padding(self) -> list[int]:
        return [int(side) for side in self.layer.padding]


@dataclass(kw_only=True, eq=False)
class FirstPooled(Instruction):
    """A small first convolution, ReLU and pooling in one pass; it works with float32 weights."""

    layer: nn.Conv2d
    tail: Tail

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        images, drop = in_order(values[0]), page.drop(self.tail.after, 2)
        weight = self.layer.weight.detach().permute(2, 3, 1, 0).contiguous()
        bias = None if self.layer.bias is None else self.layer.bias.detach()
        padding = int(self.layer.padding[0])
        made, origin = self.kernels.first_pool(images, weight, bias, padding, drop)
        page.kept = (images, origin)
        return made

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        images, origin = page.take()
        weight = torch.empty(
            self.layer.weight.permute(2, 3, 1, 0).shape, dtype=torch.float32, device="cpu"
        )
        bias = self.gradients[1] if self.bias is not None else None
        settings = int(self.layer.padding[0]), self.tail.after
        self.kernels.first_pool_backward(
            images, in_order(gradient), origin, weight, bias, *settings
        )
        self.gradients[0].copy_(weight.permute(3, 2, 0, 1))
        return [None]


@dataclass(kw_only=True, eq=False)
class Patches(Instruction):
    """A `SameConv2d` and its tail: as its patches do not overlap, it is a product of matrices."""

    size: int
    tail: Tail

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        (maps,) = values
        images, _, height, width = maps.shape
        below, right = -height % self.size, -width % self.size
        if below or right:
            maps = F.pad(maps, (0, right, 0, below))
        patches = self._patches(maps)
        page.kept = (patches, maps.shape, (height, width))
        made = times_transposed(patches, self._matrix(self.weights[0]), self.bias)
        made = made.view(images, maps.shape[2] // self.size, maps.shape[3] // self.size, -1)
        return self.tail.forward(self.kernels, page, made.permute(0, 3, 1, 2))

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        patches, shape, (height, width), *kept = page.take()
        gradient = self.tail.backward(self.kernels, tuple(kept), in_order(gradient))
        rows = gradient.permute(0, 2, 3, 1).reshape(len(patches), -1)
        self._matrix(self.gradients[0]).copy_(times_transposed(rows.t(), patches.t()))
        if self.bias is not None:
            torch.sum(rows, 0, dtype=torch.float32, out=self.gradients[1])
        if not self.leads_back:
            return [None]
        below = times_transposed(rows, self._matrix(self.weights[0]).t())
        maps = self._maps(below, shape)[:, :, :height, :width]
        return [in_order(maps)]

    def _matrix(self, weight: torch.Tensor) -> torch.Tensor:
        """View a weight (O, C, size, size), channels-last, as (O, size · size · C)."""
        return weight.permute(0, 2, 3, 1).view(len(weight), -1)

    def _patches(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the patches of maps (N, C, H, W) as rows, each size · size · C long."""
        images, channels, height, width = maps.shape
        size, down, across = self.size, height // self.size, width // self.size
        squares = maps.permute(0, 2, 3, 1).reshape(images, down, size, across, size, channels)
        return squares.transpose(2, 3).reshape(images * down * across, size * size * channels)

    def _maps(self, patches: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Undo `_patches`: return maps of `shape`."""
        images, channels, height, width = shape
        size, down, across = self.size, height // self.size, width // self.size
        squares = patches.view(images, down, across, size, size, channels).transpose(2, 3)
        return squares.reshape(images, height, width, channels).permute(0, 3, 1, 2)


@dataclass(kw_only=True, eq=False)
class Dense(Instruction):
    """A fully connected layer and its tail."""

    tail: Tail

    def forward(self, page: Page, *values: torch.Tensor) -> torch.Tensor:
        rows = values[0].flatten(0, -2)
        page.kept = (rows, values[0].shape[:-1])
        made = times_transposed(rows, self.weights[0], self.bias)
        return self.tail.forward(self.kernels, page, made).view(*values[0].shape[:-1], -1)

    def backward(self, page: Page, gradient: torch.Tensor) -> Below:
        rows, shape, *kept = page.take()
        gradient = gradient.reshape(len(rows), -1).contiguous()
        gradient = self.tail.backward(self.kernels, tuple(kept), gradient)
        self.gradients[0].copy_(times_transposed(gradient.t(), rows.t()))
        if self.bias is not None:
            torch.sum(gradient, 0, dtype=torch.float32, out=self.gradients[1])
        if not self.leads_back:
            return [None]
        return [times_transposed(gradient, self.weights[0].t()).view(*shape, -1)]


def times_transposed(
    left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return left · rightᵀ + bias for matrices (M, K) and (N, K), which may be views.

    oneDNN's product is asked for by name: for float32 torch takes MKL's, half as fast as it on
    AMD's processors. Its call costs 10 µs more, so a small product is torch's.
    """
    small = len(left) * right.numel() < SMALLEST_ONEDNN_PRODUCT
    if small or left.dtype == torch.bfloat16:
        return F.linear(left, right, bias)
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise.default(
        left, right, bias, "none", [], ""
    )
    return made
