"""Balanced copies: show images of rare classes more often.

Source: the random oversampling that Buda et al. 2018, "A systematic study of the class imbalance
problem in convolutional neural networks", arXiv:1710.05381, found best for small convolutional
nets; the exponent is that of Mahajan et al. 2018, "Exploring the Limits of Weakly Supervised
Pretraining", arXiv:1805.00932. Here the copies are the same in every epoch, and spread evenly over
a class's images.
"""

from dataclasses import dataclass

import torch

from rungwise.augment.base import Augmentation
from rungwise.augment.settings import require_effect
from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BalancedCopies(Augmentation):
    """Teach the model rare classes as well as frequent ones, where each class matters alike.

    A class of n images, the largest having m, comes to n · (m / n)^strength images. An epoch grows
    by the copies; other augmentations change each copy by draws of its own.

    Raises:
        ConfigError: `strength` is not above 0 and up to 1; at the first use, if all classes have
            equally many images.
    """

    strength: float = 1.0
    """1 shows all classes equally often; 0.5 goes half the way, on a scale of ratios."""

    def __post_init__(self) -> None:
        require_effect("balanced-copies", "strength", self.strength, most=1)

    def enlarge(self, data: LabelledImages) -> LabelledImages:
        counts = torch.bincount(data.labels, minlength=data.classes)
        wanted = _wanted(counts, self.strength)
        if torch.equal(wanted, counts):
            raise ConfigError(
                "balanced-copies has no effect: the classes have equally many training images",
                expected="classes of different sizes",
                fix="leave balanced-copies out",
            )
        copies = [
            _spread((data.labels == label).nonzero().flatten(), more)
            for label, more in enumerate((wanted - counts).tolist())
        ]
        return data.take(torch.cat([torch.arange(len(data), device="cpu"), *copies]))


def _wanted(counts: torch.Tensor, strength: float) -> torch.Tensor:
    """Return how many images each class comes to; a class without images stays without."""
    ratios = counts.max() / counts.clamp_min(1).double()
    return (counts * ratios**strength).round().long()


def _spread(places: torch.Tensor, count: int) -> torch.Tensor:
    """Return `count` of the places, each as often as the others or once more."""
    whole, rest = divmod(count, max(1, len(places)))
    evenly = torch.arange(rest, device="cpu") * len(places) // max(1, rest)
    return torch.cat([places.repeat(whole), places[evenly]])
