"""A small modern network: few operations, high accuracy, for images of 8×8 to 32×32 pixels."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.initialization import fan_in_uniform, keep_input, materialize
from rungwise.models.layers import (
    Classifier,
    GlobalAveragePool,
    GlobalMaxPool,
    Residual,
    Scale,
    Step,
    WhitenedConv2d,
    chain,
)
from rungwise.models.settings import require_border, require_positive, require_size, require_widths

STEM_WIDTH = 32
EPSILON, WHITENED_EPSILON = 1e-3, 0.1
"""Added to the variances that normalisations divide by: the second in a net on whitened patches,
whose channels vary by about 1 from the start; those of other nets begin near 0.1.

1e-5, PyTorch's number, raises what hardly varies, such as a plain background behind max-pooling,
316-fold, and each of six normalisations in a row does so again. Rounding errors alone then threw
biases to thousands (decision 38)."""


@dataclass(frozen=True, kw_only=True)
class Compact(Model):
    """[border] → stem → groups of convolutions, each halving the size → global pool → linear head.

    A group is conv 3×3 → max-pool 2 → BN → GELU → conv 3×3 → BN → GELU: the pooling comes straight
    after the first convolution, so that all that follows works on a quarter of the pixels. No
    convolution has a bias, for the normalisation after it would take it away again.

    Source: re-derived from Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
    arXiv:2404.00498.

    Raises:
        ConfigError: A setting has an impossible value, or no effect.
    """

    any_size = True
    is_chain = True

    widths: tuple[int, ...] = (64, 256, 256)
    """Channels of each group; two groups, such as (32, 64), suit images of 8×8 pixels."""
    depth: int | tuple[int, ...] = 2
    """Convolutions of every group, or of each; the third and later ones of a group are added to
    what they start from."""
    border: int = 0
    """Pixels of zeros around the image, before the first convolution; more of them leave larger
    maps to each group."""
    stem_width: int = STEM_WIDTH
    """Channels of the first convolution, at full size."""
    whitened_patch: int | None = None
    """Side of the patches that a fixed first layer, without normalisation, looks at; it is for the
    technique `whitening` to set. None for a learned first convolution 3×3."""
    whitened_pairs: int | None = None
    """Pairs of filters that look at a patch, one the other's negative; None for one pair for each
    of its numbers. Fewer keep to the directions in which patches vary most. Convolutions are
    fastest where the channels, twice the pairs, are a multiple of 8."""
    identity_init: bool = False
    """Whether the groups' convolutions hand their input on at first, as far as they are wide
    enough (Dirac initialisation)."""
    norm_scale: bool = True
    """Whether normalisations learn a scale beside their shift."""
    norm_momentum: float = 0.1
    """Share of a new batch in the normalisations' running statistics."""
    pooling: Literal["max", "average"] = "max"
    """What stands for each channel's last map."""
    logit_scale: float = 1 / 9
    """What the head's output is multiplied with."""

    def __post_init__(self) -> None:
        require_widths("compact widths", self.widths)
        require_positive("compact stem_width", self.stem_width)
        for depth in self._depths():
            require_positive("compact depth", depth, most=100)
        require_border("compact border", self.border)
        if len(self._depths()) != len(self.widths):
            raise ConfigError(
                f"compact depth is {self.depth}",
                expected=f"one number, or {len(self.widths)}: there are as many widths",
                fix="give one depth for each width, or one for all",
            )
        if self.pooling not in ("max", "average"):
            raise ConfigError(
                f"compact pooling is {self.pooling!r}",
                expected="max or average",
                fix="pass 'max' for the usual form",
            )
        if not self.logit_scale > 0:
            raise ConfigError(
                f"compact logit_scale is {self.logit_scale}",
                expected="a number greater than 0",
                fix="pass 1 for no scaling",
            )
        if not 0 < self.norm_momentum <= 1:
            raise ConfigError(
                f"compact norm_momentum is {self.norm_momentum}",
                expected="a number above 0, up to 1",
                fix="pass 0.1 for the usual one",
            )
        if self.whitened_patch is not None:
            require_positive("compact whitened_patch", self.whitened_patch)
            if self.stem_width != STEM_WIDTH:
                raise ConfigError(
                    f"compact stem_width {self.stem_width} has no effect with whitened_patch",
                    expected="one of the two: patches give two filters for each of their numbers",
                    fix="drop stem_width; whitened_pairs says how many of them there are",
                )
        elif self.whitened_pairs is not None:
            raise ConfigError(
                f"compact whitened_pairs {self.whitened_pairs} has no effect: no patch is whitened",
                expected="whitened_pairs beside whitened_patch",
                fix="add whitened_patch: 2, or drop whitened_pairs",
            )

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        # Patches are whitened before the border is added, so one has to fit into an image.
        patch = self.whitened_patch or 1
        smallest = max(patch, 2 ** len(self.widths) + patch - 1 - 2 * self.border)
        require_size("compact", shape, smallest, "give fewer widths: fewer groups")
        net = materialize(lambda: Classifier(*self._steps(shape[0], classes)), rng, fan_in_uniform)
        if self.identity_init:
            for group in (child for name, child in net.named_children() if "group" in name):
                keep_input(group)
        return net

    def _steps(self, channels: int, classes: int) -> list[Step]:
        stem, stem_width = self._stem(channels)
        widths = (stem_width, *self.widths)
        border = [("border", nn.ZeroPad2d(self.border))] if self.border else []
        return [
            *border,
            ("stem", stem),
            *[
                ("group", self._group(*pair, depth))
                for pair, depth in zip(pairwise(widths), self._depths(), strict=True)
            ],
            ("pool", GlobalMaxPool() if self.pooling == "max" else GlobalAveragePool()),
            ("head", nn.Linear(widths[-1], classes, bias=False)),
            ("scale", Scale(self.logit_scale)),
        ]

    def _stem(self, channels: int) -> tuple[nn.Module, int]:
        if self.whitened_patch is None:
            conv = _conv(channels, self.stem_width)
            return chain(("conv", conv), *self._normed(self.stem_width)), self.stem_width
        numbers = channels * self.whitened_patch**2
        pairs = numbers if self.whitened_pairs is None else self.whitened_pairs
        if not 1 <= pairs <= numbers:
            raise ConfigError(
                f"compact whitened_pairs is {pairs}",
                expected=f"1 to {numbers}: a patch has {numbers} numbers",
                fix="drop whitened_pairs for all of them",
            )
        whitened = WhitenedConv2d(channels, self.whitened_patch, pairs)
        return chain(("conv", whitened), ("gelu", nn.GELU())), whitened.out_channels

    def _depths(self) -> tuple[int, ...]:
        return (self.depth,) * len(self.widths) if isinstance(self.depth, int) else self.depth

    def _group(self, channels: int, width: int, depth: int) -> nn.Module:
        first = [("conv", _conv(channels, width)), ("pool", nn.MaxPool2d(2)), *self._normed(width)]
        second = self._block(width) if depth > 1 else []
        further = [("residual", Residual(*self._block(width))) for _ in range(depth - 2)]
        return chain(*first, *second, *further)

    def _block(self, width: int) -> list[Step]:
        return [("conv", _conv(width, width)), *self._normed(width)]

    def _normed(self, width: int) -> list[Step]:
        epsilon = EPSILON if self.whitened_patch is None else WHITENED_EPSILON
        norm = nn.BatchNorm2d(width, epsilon, self.norm_momentum)
        norm.weight.requires_grad_(self.norm_scale)
        return [("norm", norm), ("gelu", nn.GELU())]


def _conv(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=False)
