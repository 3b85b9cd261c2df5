"""Cutout: blacken one square of each image.

Source: DeVries & Taylor 2017, "Improved Regularization of Convolutional Neural Networks with
Cutout", arXiv:1708.04552. Two deviations: the square lies wholly inside the image, where the paper
lets it stick out (so here every image loses the same area); and it is black, where the paper fills
it with the data's mean.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, integers
from rungwise.augment.box import inside_boxes
from rungwise.augment.settings import require_below_side, require_effect


@dataclass(frozen=True, kw_only=True)
class Cutout(Augmentation):
    """Teach the model to use the whole object, not only its most telling part.

    Raises:
        ConfigError: `size` is not above 0; at the call, if the images are not larger.
    """

    size: int = 8
    """Side of the square, in pixels; the paper's best for CIFAR-10 is 16, with no other help."""

    def __post_init__(self) -> None:
        require_effect("cutout", "size", self.size)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        require_below_side("cutout", "size", self.size, images)
        height, width = images.shape[-2:]
        top = integers(images, rng, 0, height - self.size)
        left = integers(images, rng, 0, width - self.size)
        return cut_squares(images, top, left, self.size)


def cut_squares(
    images: torch.Tensor, top: torch.Tensor, left: torch.Tensor, size: int
) -> torch.Tensor:
    """Return `images` (N, C, H, W) with a black square at `top` and `left` (N,)."""
    return images * ~inside_boxes(images, top, left, size, size)
