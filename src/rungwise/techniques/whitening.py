"""Whitening: a fixed first layer that takes the correlations out of the pixels of small patches.

Source: Page 2018, "How to train your ResNet 6: weight decay?" and 8 (patch whitening); in this
form Jordan 2024, arXiv:2404.00498.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.compact import Compact
from rungwise.models.input import ScaledNetwork, to_unit
from rungwise.models.layers import WhitenedConv2d
from rungwise.techniques.base import Technique

PIECE = 500
"""Images whose patches are in memory at once."""
SINGULAR = 1e-6
"""Share of the greatest eigenvalue below which patches count as not varying in a direction: well
below what rounding pixels to 8 bits leaves there."""


@dataclass(frozen=True, kw_only=True)
class Whitening(Technique):
    """Start from features that the net would have to spend its first epochs on.

    The filters are the eigenvectors of the training patches' second moments, each divided by the
    root of its eigenvalue, and their negatives; where the layer has fewer pairs, those of the
    greatest eigenvalues. A direction in which no patch varies would give a channel of
    rounding errors alone; the filter of another direction stands there once more. The filters stay
    fixed; the layer's bias is trained until `bias_until`, and from then on no gradient is led back
    into the first layer.

    Raises:
        ConfigError: A setting is out of its range, or the model has no such first layer.
    """

    images: int = 5000
    """Number of training images that the patches are taken from, at most."""
    eps: float = 5e-4
    """Added to each eigenvalue, so that directions that are all noise are not blown up."""
    bias_until: float = 0.3
    """Share of the training after which the bias is fixed, too."""

    def __post_init__(self) -> None:
        if self.images < 1 or not self.eps > 0 or not 0 <= self.bias_until <= 1:
            raise ConfigError(
                f"whitening has images {self.images}, eps {self.eps}, bias_until {self.bias_until}",
                expected="1 or more images, eps above 0, bias_until from 0 to 1",
                fix="use for example images: 5000, eps: 5e-4, bias_until: 0.3",
            )

    def check(self, model: Model, validated: bool) -> None:
        """Refuse models without a fixed first layer."""
        if not isinstance(model, Compact) or model.whitened_patch is None:
            raise ConfigError(
                "whitening has no effect: the model has no first layer to be set",
                expected="the model compact with a whitened_patch",
                fix="set model: {name: compact, whitened_patch: 2}, or drop the technique",
            )

    def prepare(self, net: ScaledNetwork, train: LabelledImages, rng: torch.Generator) -> None:
        """Set the first layer's filters; its bias starts at 0."""
        layer = _first_layer(net)
        chosen = train.take(torch.randperm(len(train), generator=rng, device="cpu")[: self.images])
        scaled = (net.scaled(to_unit(pixels)) for pixels, _ in chosen.batches(PIECE))
        pairs = layer.out_channels // 2
        filters = whitening_filters(scaled, layer.kernel_size[0], self.eps)[-pairs:]
        with torch.no_grad():
            layer.weight.copy_(torch.cat([filters, -filters]).view(layer.weight.shape))

    def frozen(self, net: ScaledNetwork, progress: float) -> list[nn.Module]:
        """Fix the first layer as a whole from `bias_until` on."""
        return [_first_layer(net)] if progress >= self.bias_until else []


def _first_layer(net: ScaledNetwork) -> WhitenedConv2d:
    return next(layer for layer in net.modules() if isinstance(layer, WhitenedConv2d))


def whitening_filters(pieces: Iterable[torch.Tensor], size: int, eps: float) -> torch.Tensor:
    """Return filters whose outputs are uncorrelated and of one size over the given images.

    Args:
        pieces: Images (N, C, H, W) float, some at a time.
        size: Side of the patches.
        eps: Added to the eigenvalues.

    Returns:
        (C·size², C·size²) float32; a row is a filter, in the order (C, size, size), that of the
        greatest eigenvalue last. The mean is not taken out of the patches. Where eigenvalues are 0
        the other filters take turns, from the greatest on.
    """
    moments, count = torch.zeros((), dtype=torch.float64, device="cpu"), 0
    for images in pieces:
        patches = F.unfold(images, size).transpose(1, 2).flatten(0, 1)
        moments = moments + (patches.t() @ patches).double()
        count += len(patches)
    values, vectors = torch.linalg.eigh(moments / count)
    filters: torch.Tensor = (vectors / (values.clamp_min(0) + eps).sqrt()).t().float()
    varies = filters[values > SINGULAR * values[-1]]
    missing = len(filters) - len(varies)
    if not len(varies) or not missing:  # No image shows anything, or there are filters for all.
        return filters
    turns = torch.arange(missing, device=varies.device) % len(varies)
    return torch.cat([varies.flip(0)[turns].flip(0), varies])
