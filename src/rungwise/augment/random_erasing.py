"""Random erasing: replace a box of some of the images by noise.

Source: Zhong et al. 2017, "Random Erasing Data Augmentation", arXiv:1708.04896. One deviation: a
box that would not fit is cut to the image's side, where the paper draws until one fits.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation, random_levels, uniform
from rungwise.augment.box import inside_boxes
from rungwise.augment.settings import require_effect
from rungwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RandomErasing(Augmentation):
    """Teach the model to know a thing that is partly hidden.

    Raises:
        ConfigError: `probability` is not above 0 and up to 1, or a range is not one.
    """

    probability: float = 0.5
    """Share of the images that lose a box."""

    area: tuple[float, float] = (0.02, 0.4)
    """Smallest and largest share of the image's area that the box covers."""

    aspect: tuple[float, float] = (0.3, 1 / 0.3)
    """Smallest and largest height of the box, in widths; drawn uniformly, as the paper does."""

    def __post_init__(self) -> None:
        require_effect("random-erasing", "probability", self.probability, most=1)
        _require_range("area", self.area, most=1, example="(0.02, 0.4)")
        _require_range("aspect", self.aspect, most=100, example="(0.3, 3.3)")

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        height, width = images.shape[-2:]
        chosen = uniform(images, rng, 0, 1) < self.probability
        area = uniform(images, rng, *self.area) * (height * width)
        aspect = uniform(images, rng, *self.aspect)
        box_height = (area * aspect).sqrt().round().clamp(1, height)
        box_width = (area / aspect).sqrt().round().clamp(1, width)
        top = (uniform(images, rng, 0, 1) * (height - box_height + 1)).floor()
        left = (uniform(images, rng, 0, 1) * (width - box_width + 1)).floor()
        erased = inside_boxes(images, top, left, box_height * chosen, box_width)
        return torch.where(erased, noise_like(images, rng), images)


def noise_like(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return noise of the images' shape, dtype and device: uniform over the 256 pixel levels."""
    levels = random_levels(images.numel(), rng).to(images.device)
    n, c, h, w = images.shape
    # Laid out as (N, H, W, C), so that channels-last images meet channels-last noise.
    return levels.view(n, h, w, c).permute(0, 3, 1, 2).to(images.dtype) / 255


def _require_range(setting: str, limits: tuple[float, float], most: int, example: str) -> None:
    low, high = limits
    if not 0 < low <= high <= most:
        raise ConfigError(
            f"random-erasing: {setting} is {limits}",
            expected=f"two numbers above 0 and up to {most}, the smaller first",
            fix=f"pass for example {example}",
        )
