"""Progressive resizing: begin with small images, which cost less, and end with whole ones.

Source: Howard 2018, the fast.ai entry to DAWNBench (progressive resizing); Touvron et al. 2019,
"Fixing the train-test resolution discrepancy", arXiv:1906.06423 (the last epochs see the size that
is tested); Tan & Le 2021, "EfficientNetV2", arXiv:2104.00298 (progressive learning).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.techniques.base import Batch, ImageSize, Technique


@dataclass(frozen=True, kw_only=True)
class ProgressiveResizing(Technique):
    """Learn the coarse forms first: with half the side, a step takes a quarter of the operations.

    The side is the shorter one; the longer one keeps its ratio to it. Validation and test images
    keep their size.

    Raises:
        ConfigError: The two settings are not as long as each other, or do not rise; at the first
            use, if a side is not below the images'.
    """

    sides: tuple[int, ...] = (20, 24)
    """Pixels of the shorter side, in turn; then images are left whole. For images of 28 or 32."""
    until: tuple[float, ...] = (0.15, 0.5)
    """Share of the training at which each side gives way to the next, 0 to 1."""

    def __post_init__(self) -> None:
        if not (len(self.sides) == len(self.until) > 0 and _rises(0, *self.sides)):
            raise ConfigError(
                f"progressive-resizing has the sides {self.sides} until {self.until}",
                expected="rising sides of 1 pixel or more, and one share for each",
                fix="use for example sides: [20, 24], until: [0.15, 0.5]",
            )
        if not _rises(0, *self.until, 1):
            raise ConfigError(
                f"progressive-resizing until is {self.until}",
                expected="rising shares between 0 and 1",
                fix="use for example [0.15, 0.5], and leave some of the training to whole images",
            )

    def check(self, model: Model, validated: bool) -> None:
        """Refuse nets that take images of one size only."""
        if not model.any_size:
            raise ConfigError(
                "progressive-resizing cannot be used: the model takes images of one size only",
                expected="a model that ends in a global pooling",
                fix="choose the model 'compact' or 'vgg-benchmark', or drop the technique",
            )

    def image_size(self, size: ImageSize, progress: float) -> ImageSize:
        """Tell the size at this point of the training."""
        height, width = size
        shorter = min(size)
        if self.sides[-1] >= shorter:
            raise ConfigError(
                f"progressive-resizing has the side {self.sides[-1]}, "
                f"and the images are {height}×{width} pixels",
                expected=f"sides of fewer than {shorter} pixels, the shorter side",
                fix="lower sides, or leave progressive-resizing out for images of this size",
            )
        for side, until in zip(self.sides, self.until, strict=True):
            if progress < until:
                return round(height * side / shorter), round(width * side / shorter)
        return size

    def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
        """Make the images as small as they are to be at this point."""
        height, width = batch.images.shape[-2:]
        size = self.image_size((height, width), progress)
        if size == (height, width):
            return batch
        return batch._replace(images=shrink(batch.images, size))


def shrink(images: torch.Tensor, size: ImageSize) -> torch.Tensor:
    """Return images (N, C, H, W) at a smaller size (height, width), each pixel a weighted mean.

    A new pixel looks at all old ones within its own width on either side, so that no fine pattern
    turns into a coarse one.
    """
    # Rounding may leave 0..1 by the last bit.
    return F.interpolate(images, size, mode="bilinear", antialias=True).clamp_(0, 1)


def _rises(*numbers: float) -> bool:
    return all(before < after for before, after in pairwise(numbers))
