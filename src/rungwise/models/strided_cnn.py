"""A small network of strided convolutions without activations, made for 1,000 images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from rungwise.models.base import Model
from rungwise.models.initialization import materialize
from rungwise.models.layers import Classifier, SameConv2d, Step, dense_steps
from rungwise.models.settings import require_widths


@dataclass(frozen=True, kw_only=True)
class StridedCNN(Model):
    """Conv 2×2 stride 2 → [conv 2×2 stride 2 → pool 2] … → flatten → dense relu … → logits.

    The convolutions have no activation, as in the article. Every step halves the size, rounding
    up, so images of any size will do.

    Source: article A, "before".

    Raises:
        ConfigError: A width is not positive, or there is no convolution.
    """

    is_chain = True

    conv_widths: tuple[int, ...] = (32, 16, 8, 8)
    """Channels of each convolution; a pooling follows all but the first."""
    dense_widths: tuple[int, ...] = (128, 64)
    """Units of each hidden dense layer."""

    def __post_init__(self) -> None:
        require_widths("strided-cnn conv_widths", self.conv_widths)
        require_widths("strided-cnn dense_widths", self.dense_widths, at_least=0)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        features = (flat_features(shape, self.conv_widths), *self.dense_widths)[-1]
        return materialize(
            lambda: Classifier(
                *strided_steps(shape, self.conv_widths, self.dense_widths),
                ("logits", nn.Linear(features, classes)),
            ),
            rng,
        )


def strided_steps(
    shape: tuple[int, int, int], conv_widths: Sequence[int], dense_widths: Sequence[int]
) -> list[Step]:
    """Return the layers from images of `shape` (C, H, W) to (N, dense_widths[-1])."""
    steps: list[Step] = []
    for i, (before, width) in enumerate(pairwise((shape[0], *conv_widths))):
        steps += [("conv", SameConv2d(before, width, 2))]
        if i > 0:
            # Rounding up makes windows that stick out; only pixels inside take part.
            steps += [("pool", nn.MaxPool2d(2, ceil_mode=True))]
    features = flat_features(shape, conv_widths)
    return [*steps, ("flatten", nn.Flatten()), *dense_steps(features, dense_widths)]


def flat_features(shape: tuple[int, int, int], conv_widths: Sequence[int]) -> int:
    """Return how many numbers are left of an image of `shape` after convolutions and poolings."""
    _, height, width = shape
    for _ in range(2 * len(conv_widths) - 1):
        height, width = (height + 1) // 2, (width + 1) // 2
    return conv_widths[-1] * height * width
