"""Trivial augment: one change for each image, its kind and its strength drawn anew each time.

Source: Müller & Hutter 2021, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation",
arXiv:2103.10158, its "wide" space; the changes themselves are those of Cubuk et al. 2018,
"AutoAugment", arXiv:1805.09501, which takes them from Pillow. Deviations: the strength is drawn
from a range instead of 31 steps, beyond the border stands the nearest pixel instead of grey, and
`strength` narrows the space.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rungwise.augment.affine import resample, source_map
from rungwise.augment.base import Augmentation, integers, per_image, uniform
from rungwise.augment.contrast import scale_contrast
from rungwise.augment.settings import require_effect

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From images (N, C, H, W) and a strength of -1 to 1 for each (N,) to changed images."""

LARGEST_TURN = 135.0
"""Degrees."""
LARGEST_SHEAR = 0.99
"""Tangent of the slant's angle."""
LARGEST_FACTOR = 0.99
"""By which light, colour, contrast and sharpness leave 1."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in an image's brightness (ITU-R 601)."""


@dataclass(frozen=True, kw_only=True)
class TrivialAugment(Augmentation):
    """Teach the model many small truths about pictures with nothing to tune.

    It turns pictures by up to 135 degrees and their colours to negatives: for photos, where few of
    them are there to learn from; not for digits. It costs the most of all augmentations.

    Raises:
        ConfigError: `strength` is not above 0 and up to 1.
    """

    strength: float = 1.0
    """Share of the paper's widest ranges that is drawn from."""

    def __post_init__(self) -> None:
        require_effect("trivial-augment", "strength", self.strength, most=1)

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        changes = CHANGES if images.shape[1] == 3 else GREY_CHANGES
        kinds = integers(images, rng, 0, len(changes))
        strengths = uniform(images, rng, -self.strength, self.strength)
        changed = images.clone()
        for number, change in enumerate(changes):
            chosen = (kinds == number).nonzero().flatten()
            if len(chosen):
                changed[chosen] = change(images[chosen], strengths[chosen])
        return changed


def turn(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Turn each image about its centre."""
    return _resampled(images, angle=(strengths * LARGEST_TURN).deg2rad())


def slant(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Move each row along x by its distance from the centre times the strength."""
    return _resampled(images, shear=(strengths * LARGEST_SHEAR).atan())


def slant_rows(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Move each column along y by its distance from the centre times the strength."""
    return slant(images.transpose(2, 3), strengths).transpose(2, 3)


def move_right(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Move each image along x, at most by its whole width."""
    return _resampled(images, right=strengths * images.shape[3])


def move_down(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Move each image along y, at most by its whole height."""
    return _resampled(images, down=strengths * images.shape[2])


def brighten(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Multiply all pixels by a factor: below 1 towards black, above 1 away from it."""
    return (images * per_image(_factors(strengths), images)).clamp_(0, 1)


def change_contrast(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Multiply each pixel's distance from the image's mean by a factor."""
    return scale_contrast(images, _factors(strengths))


def change_colour(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Multiply each pixel's distance from its own grey by a factor."""
    weights = torch.tensor(GREY, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    grey = (images * weights).sum(1, keepdim=True)
    return torch.lerp(grey, images, per_image(_factors(strengths), images)).clamp_(0, 1)


def sharpen(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Multiply each pixel's distance from its neighbourhood's mean by a factor.

    The neighbourhood is 3×3, its centre counts five times; pixels at the border are left.
    """
    channels = images.shape[1]
    kernel = torch.ones(3, 3, device=images.device, dtype=torch.float32)
    kernel[1, 1] = 5
    kernel = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(images.float(), kernel, groups=channels).to(images.dtype)
    return torch.lerp(smooth, images, per_image(_factors(strengths), images)).clamp_(0, 1)


def posterize(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Keep the highest 2 to 8 bits of each pixel, fewer the further the strength is from 0."""
    step = per_image(2 ** (strengths.abs() * 6).round(), images).float()
    levels = (images.float() * 255).round()
    return ((levels / step).floor() * step / 255).to(images.dtype)


def solarize(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Turn pixels above a threshold to their negative; at full strength all of them."""
    return torch.where(images >= per_image(1 - strengths.abs(), images), 1 - images, images)


def stretch_contrast(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Stretch each channel to the whole of 0..1; the strength does not matter."""
    low = images.amin((2, 3), keepdim=True)
    span = images.amax((2, 3), keepdim=True) - low
    return torch.where(span > 0, (images - low) / span.clamp_min(1 / 255), images)


def equalize(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Make all levels of each channel about equally frequent; the strength does not matter.

    A pixel becomes the share of the channel's pixels that are darker, scaled so that the darkest
    level becomes 0 and the brightest 1.
    """
    planes = (images.float() * 255).round().long().flatten(2)
    ones = torch.ones_like(planes, dtype=torch.float32)
    counts = torch.zeros(
        *planes.shape[:2], 256, device=images.device, dtype=torch.float32
    ).scatter_add_(2, planes, ones)
    darker = counts.cumsum(2) - counts
    spread = planes.shape[2] - counts.gather(2, planes.amax(2, keepdim=True))
    table = torch.where(spread > 0, darker / spread.clamp_min(1), 0)
    equal = table.gather(2, planes).clamp_(0, 1).view(images.shape).to(images.dtype)
    return torch.where(spread[..., None] > 0, equal, images)


GREY_CHANGES: tuple[Change, ...] = (
    turn,
    slant,
    slant_rows,
    move_right,
    move_down,
    brighten,
    change_contrast,
    sharpen,
    posterize,
    solarize,
    stretch_contrast,
    equalize,
)
CHANGES: tuple[Change, ...] = (*GREY_CHANGES, change_colour)
"""Beside these an image may be left as it is, which is as likely as each of them."""


def _factors(strengths: torch.Tensor) -> torch.Tensor:
    return 1 + strengths * LARGEST_FACTOR


def _resampled(images: torch.Tensor, **changes: torch.Tensor) -> torch.Tensor:
    """Move and bend images by those of `source_map`'s arguments that are given."""
    zero = torch.zeros(len(images), device=images.device, dtype=torch.float32)
    still = dict.fromkeys(("angle", "down", "right", "shear"), zero)
    zoom = torch.ones_like(zero)
    return resample(images, source_map(zoom_rows=zoom, zoom_columns=zoom, **(still | changes)))
