"""CutMix: paste a box from another image and mix the targets by area.

Source: Yun et al. 2019, "CutMix", arXiv:1905.04899.
"""

from dataclasses import dataclass

import torch

from rungwise.errors import ConfigError
from rungwise.techniques.base import Batch, Technique

Box = tuple[slice, slice]


@dataclass(frozen=True, kw_only=True)
class CutMix(Technique):
    """Teach the model to use the whole object, not only its most telling part.

    One box for the whole batch, its area drawn uniformly (the paper's alpha of 1).

    Raises:
        ConfigError: `probability` is not above 0 and at most 1.
    """

    probability: float = 0.5
    """Share of the batches that are mixed."""

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ConfigError(
                f"cutmix probability is {self.probability}",
                expected="a number above 0, at most 1",
                fix="pass a share such as 0.5, not a percentage, or drop the technique",
            )

    def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
        """Paste into every image of the batch, or into none."""
        if (
            torch.rand((), generator=rng, device=rng.device, dtype=torch.float32).item()
            >= self.probability
        ):
            return batch
        partner = torch.randperm(len(batch.images), generator=rng, device=rng.device)
        height, width = batch.images.shape[-2:]
        return paste_box(batch, partner.to(batch.images.device), random_box(height, width, rng))


def random_box(height: int, width: int, rng: torch.Generator) -> Box:
    """Draw a box of the image's proportions, centred anywhere and cut at the border."""
    area, row, column = torch.rand(
        3, generator=rng, device=rng.device, dtype=torch.float32
    ).tolist()
    half_height, half_width = height * area**0.5 / 2, width * area**0.5 / 2
    return _span(row * height, half_height, height), _span(column * width, half_width, width)


def _span(centre: float, half: float, size: int) -> slice:
    return slice(max(0, round(centre - half)), min(size, round(centre + half)))


def paste_box(batch: Batch, partner: torch.Tensor, box: Box) -> Batch:
    """Return the batch with `box` taken from the partner images, targets mixed by area.

    Args:
        batch: N images (N, C, H, W) with targets (N, K).
        partner: (N,) int64 indices into the batch.
        box: Rows and columns to paste.
    """
    rows, columns = box
    height, width = batch.images.shape[-2:]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    images = batch.images.clone(memory_format=torch.preserve_format)
    images[..., rows, columns] = batch.images[partner][..., rows, columns]
    return Batch(images, torch.lerp(batch.targets, batch.targets[partner], share))
