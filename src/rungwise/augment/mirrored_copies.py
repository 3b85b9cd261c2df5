"""Mirrored copies: train on every image and on its mirror image.

Source: the Fashion-MNIST article (article C), which doubles 60,000 training images to 120,000.
Against `flip`: an epoch shows both views of every image and is twice as long.
"""

from dataclasses import dataclass, replace

import torch

from rungwise.augment.base import Augmentation
from rungwise.data.images import LabelledImages


@dataclass(frozen=True, kw_only=True)
class MirroredCopies(Augmentation):
    """Double the training set by mirroring it left-right; it takes no settings."""

    mirrors = True

    def enlarge(self, data: LabelledImages) -> LabelledImages:
        return with_mirrored(data)


def with_mirrored(data: LabelledImages) -> LabelledImages:
    """Return the N images, then the same N mirrored left-right: 2N in all, as a view."""
    twice = data.take(torch.arange(len(data), device="cpu").repeat(2))
    second = torch.arange(len(twice), device="cpu") >= len(data)
    before = twice.mirrored
    return replace(twice, mirrored=second if before is None else second ^ before)
