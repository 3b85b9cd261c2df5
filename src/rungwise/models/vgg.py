"""VGG-like networks of 3×3 convolutions that end in global average pooling.

Source: article B, after Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for
Large-Scale Image Recognition", arXiv:1409.1556.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.initialization import KerasBatchNorm, materialize
from rungwise.models.layers import (
    Classifier,
    GlobalAveragePool,
    Step,
    dense_steps,
    dropout_steps,
)
from rungwise.models.settings import require_positive, require_rate, require_size, require_widths

SMALLEST_SIDE = 4
"""Two poolings have to leave one pixel."""


@dataclass(frozen=True, kw_only=True)
class VGGBenchmark(Model):
    """Three pairs of convolutions, with dropout and pooling between them, and one dense layer.

    Source: article B, "benchmark".

    Raises:
        ConfigError: A setting has an impossible value.
    """

    any_size = True
    is_chain = True

    widths: tuple[int, ...] = (64, 128, 256)
    """Channels of the three pairs."""
    dense_width: int = 1024
    """Units of the dense layer."""
    dropout_conv: float = 0.25
    """Rate before each of the two poolings; 0 removes the dropouts."""
    dropout_dense: float = 0.25
    """Rate after the dense layer; 0 removes the dropout."""

    def __post_init__(self) -> None:
        _require_groups("vgg-benchmark widths", self.widths, 3)
        require_positive("vgg-benchmark dense_width", self.dense_width)
        require_rate("vgg-benchmark dropout_conv", self.dropout_conv)
        require_rate("vgg-benchmark dropout_dense", self.dropout_dense)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        require_size("vgg-benchmark", shape, SMALLEST_SIDE, "use larger images, or model mlp")
        return materialize(lambda: Classifier(*self._steps(shape[0], classes)), rng)

    def _steps(self, channels: int, classes: int) -> list[Step]:
        first, second, third = self.widths
        return [
            *conv_steps(channels, (first, first)),
            *dropout_steps(self.dropout_conv),
            ("pool", nn.MaxPool2d(2)),
            *conv_steps(first, (second, second)),
            *dropout_steps(self.dropout_conv),
            ("pool", nn.MaxPool2d(2)),
            *conv_steps(second, (third, third)),
            ("global_pool", GlobalAveragePool()),
            *dense_steps(third, (self.dense_width,)),
            *dropout_steps(self.dropout_dense),
            ("logits", nn.Linear(self.dense_width, classes)),
        ]


@dataclass(frozen=True, kw_only=True)
class VGGDeep(Model):
    """Thirteen convolutions in three groups, with batch normalisation, and two dense layers.

    Source: article B, "deep". Batch normalisation stands after the activation; without it, the
    article says, the network did not learn at all.

    Raises:
        ConfigError: A setting has an impossible value.
    """

    any_size = True
    is_chain = True

    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of 3, 3, 5 and 2 convolutions."""
    dense_width: int = 1024
    """Units of each dense layer."""
    dropout_conv: float = 0.25
    """Rate after each of the two poolings; 0 removes the dropouts."""
    dropout_dense: float = 0.5
    """Rate after each dense layer; 0 removes the dropouts."""
    normalization: bool = True
    """Whether there is batch normalisation."""

    def __post_init__(self) -> None:
        _require_groups("vgg-deep widths", self.widths, 4)
        require_positive("vgg-deep dense_width", self.dense_width)
        require_rate("vgg-deep dropout_conv", self.dropout_conv)
        require_rate("vgg-deep dropout_dense", self.dropout_dense)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        require_size("vgg-deep", shape, SMALLEST_SIDE, "use larger images, or model mlp")
        return materialize(lambda: Classifier(*self._steps(shape[0], classes)), rng)

    def _steps(self, channels: int, classes: int) -> list[Step]:
        first, second, third, fourth = self.widths
        return [
            *self._group(channels, first),
            *self._group(first, second),
            *conv_steps(second, (third, third)),
            *self._norm(third),
            *conv_steps(third, (third, third, third)),
            *self._norm(third),
            *conv_steps(third, (fourth, fourth)),
            ("global_pool", GlobalAveragePool()),
            *dense_steps(fourth, (self.dense_width,)),
            *dropout_steps(self.dropout_dense),
            *dense_steps(self.dense_width, (self.dense_width,)),
            *dropout_steps(self.dropout_dense),
            ("logits", nn.Linear(self.dense_width, classes)),
        ]

    def _group(self, channels: int, width: int) -> list[Step]:
        return [
            *conv_steps(channels, (width, width)),
            *self._norm(width),
            *conv_steps(width, (width,)),
            ("pool", nn.MaxPool2d(2)),
            *dropout_steps(self.dropout_conv),
        ]

    def _norm(self, width: int) -> list[Step]:
        return [("norm", KerasBatchNorm(width))] if self.normalization else []


def conv_steps(channels: int, widths: Sequence[int]) -> list[Step]:
    """Return 3×3 convolutions that keep the size, with a ReLU after each."""
    steps: list[Step] = []
    for width in widths:
        steps += [
            ("conv", nn.Conv2d(channels, width, 3, padding=1)),
            ("relu", nn.ReLU(inplace=True)),
        ]
        channels = width
    return steps


def _require_groups(name: str, widths: Sequence[int], groups: int) -> None:
    require_widths(name, widths)
    if len(widths) != groups:
        raise ConfigError(
            f"{name} is {tuple(widths)}",
            expected=f"{groups} widths, one for each group of convolutions",
            fix="give a width for each group, narrower ones for a smaller network",
        )
