"""What a technique is: one change to targets, loss, weights or length of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from rungwise.models.base import Model, Output


class Batch(NamedTuple):
    """What a training step sees.

    Args:
        images: (N, C, H, W) float in 0..1, channels-last in memory.
        targets: (N, K) float, each row a distribution over the classes.
    """

    images: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True)
class EpochRecord:
    """One line of a training's history. Accuracies are in 0..1.

    Losses are the training's whole objective: cross-entropy and, where a technique adds or weights
    one, the other losses.
    """

    epoch: int
    train_loss: float
    train_acc: float
    val_loss: float | None
    val_acc: float | None
    lr: float
    seconds: float


Weights = dict[str, torch.Tensor]


class Technique:
    """A frozen dataclass of settings whose hooks default to no change."""

    def acts_on(self, hook: str) -> bool:
        """Tell whether the technique has a hook of its own, so that others need not be called."""
        return getattr(type(self), hook) is not getattr(Technique, hook)

    def check(self, model: Model, validated: bool) -> None:
        """Refuse a recipe in which the technique would have no effect.

        Args:
            model: The recipe's model.
            validated: Whether the training measures itself on validation images.

        Raises:
            ConfigError: The technique cannot act there.
        """

    def change_batch(self, batch: Batch, rng: torch.Generator) -> Batch:
        """Return the batch to train on. Never called for validation or test images."""
        return batch

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        """Return the objective, given the loss so far (a scalar). Called for validation too."""
        return loss

    def average(self, average: Weights | None, weights: Weights, step: int) -> Weights | None:
        """Return the weights to evaluate and keep, or None for the trained ones.

        Args:
            average: What this hook returned after the step before; None at first.
            weights: The net's parameters and buffers after step `step` (from 1).
            step: Number of steps taken.
        """
        return average

    def nets(self) -> int:
        """Return how many nets are kept: that of the training's end, and of so many cycles' ends.

        The cycles are the schedule's; the last of them ends with the training.
        """
        return 1

    def likely_epochs(self, epochs: int) -> int:
        """Return about how many of the recipe's epochs a training takes, to plan its time."""
        return epochs

    def stops(self, history: Sequence[EpochRecord]) -> bool:
        """Tell whether the training ends after the last epoch of `history`."""
        return False
