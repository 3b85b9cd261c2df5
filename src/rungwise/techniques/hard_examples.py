"""Hard examples: spend most steps on the images that the net still gets wrong.

Source: Jiang et al. 2019, "Accelerating Deep Learning by Focusing on the Biggest Losers",
arXiv:1910.00762; with losses as old as the last look, and whole epochs at the end, as Qin et al.
2023, "InfoBatch", arXiv:2303.04947. Two deviations: the images with the largest losses are taken
as they are, where the former draws each with a probability that rises with its loss, and the
latter drops those of small loss at random; and no gradient is weighted to make up for the choice.
"""

from dataclasses import dataclass

import torch

from rungwise.errors import ConfigError
from rungwise.techniques.base import Technique


@dataclass(frozen=True, kw_only=True)
class HardExamples(Technique):
    """Train each epoch after the first on a share of the images: those with the largest losses.

    A loss is the cross-entropy that an image had in the step that last trained on it, as it was
    then augmented and mixed. Images that are drawn at random besides keep the others' losses from
    growing too old. The history's training figures are those of the images that were trained on.

    Raises:
        ConfigError: A setting is out of its range; at the first use, if the training has no epoch
            that would be shortened.
    """

    share: float = 0.75
    """Share of the images that an epoch trains on, above 0 and below 1."""
    random_share: float = 0.25
    """Share of those that is drawn at random, 0 to 1; 1 (a control) looks at no loss."""
    until: float = 0.875
    """Share of the epochs after which all images are trained on again, above 0, at most 1."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(
                f"hard-examples share is {self.share}",
                expected="a number above 0 and below 1: with all images nothing is chosen",
                fix="pass a share such as 0.75, not a percentage, or drop the technique",
            )
        if not (0 <= self.random_share <= 1 and 0 < self.until <= 1):
            raise ConfigError(
                f"hard-examples has random_share {self.random_share} and until {self.until}",
                expected="random_share from 0 to 1, until above 0 and at most 1",
                fix="use for example random_share: 0.25, until: 0.875",
            )

    def epoch_images(self, images: int, epoch: int, epochs: int) -> int:
        """Tell the share, from the second epoch on until `until`."""
        if not 1 / epochs < self.until or epochs == 1:
            raise ConfigError(
                f"hard-examples has no effect: of {epochs} epochs none after the first begins "
                f"before until, {self.until}",
                expected="more epochs, or a later until",
                fix="raise epochs or until, or drop the technique",
            )
        chooses = epoch > 1 and (epoch - 1) / epochs < self.until
        return max(1, int(self.share * images)) if chooses else images

    def choose(self, losses: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
        """Take the largest losses, and draw from the rest."""
        drawn = round(self.random_share * count)
        # Stable: which of equal losses come first is the same on every machine.
        hardest = losses.argsort(descending=True, stable=True)
        rest = hardest[count - drawn :]
        lucky = rest[torch.randperm(len(rest), generator=rng, device="cpu")[:drawn]]
        return torch.cat([hardest[: count - drawn], lucky])
