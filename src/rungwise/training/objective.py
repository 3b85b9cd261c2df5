"""What a training minimises on a batch: cross-entropy, and what the techniques make of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rungwise.models.base import Output
from rungwise.techniques import Batch, Technique


def cross_entropies(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return each image's own cross-entropy: (N,) float32.

    Args:
        logits: (N, K).
        targets: (N, K), each row a distribution.
    """
    return F.cross_entropy(logits.float(), targets, reduction="none")


@dataclass(frozen=True)
class Objective:
    """The loss of a net's output on a batch.

    Args:
        batch: The images and what the net should say of them.
        techniques: Those that change the loss, in the recipe's order.
    """

    batch: Batch
    techniques: Sequence[Technique]

    def __call__(self, output: Output) -> torch.Tensor:
        """Return the loss, a scalar, recorded by autograd where the output is."""
        loss = F.cross_entropy(output.logits.float(), self.batch.targets)
        for technique in self.techniques:
            loss = technique.change_loss(loss, output, self.batch)
        return loss

    def tally(self, loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the loss times N and the number of right answers: (2,) float64."""
        targets = self.batch.targets
        right = (logits.argmax(1) == targets.argmax(1)).sum()
        return torch.stack([loss.detach().double() * len(targets), right.double()])
