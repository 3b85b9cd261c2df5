"""What a technique is: one change to targets, loss, weights or length of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.models.base import Model, Output
from rungwise.models.input import ScaledNetwork


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
ImageSize = tuple[int, int]
"""Height and width in pixels."""


def copied(weights: Weights) -> Weights:
    """Return weights with memory of their own."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def follow(average: Weights, weights: Weights, share: float) -> None:
    """Move an average by a share of the way towards the weights, in place; copy counters."""
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor.detach(), share)
        else:
            average[name].copy_(tensor)


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

    def prepare(self, net: ScaledNetwork, train: LabelledImages, rng: torch.Generator) -> None:
        """Set weights of the fresh net, before anything is trained.

        Args:
            net: On the CPU; changed in place.
            train: The training images.
            rng: A CPU generator.

        Raises:
            ConfigError: The net has nothing to set.
        """

    def frozen(self, net: ScaledNetwork, progress: float) -> list[nn.Module]:
        """Return the modules whose parameters are not trained from now on: later as many or more.

        Args:
            net: The net, as it is built.
            progress: Share of the training that is done, 0 at the start.
        """
        return []

    def epoch_images(self, images: int, epoch: int, epochs: int) -> int:
        """Return how many images an epoch trains on, known before anything is trained.

        Asked only where the technique has a hook `choose` of its own.

        Args:
            images: Number of training images.
            epoch: From 1.
            epochs: Number of epochs of the whole training.

        Raises:
            ConfigError: No epoch of the training would have fewer images.
        """
        return images

    def choose(self, losses: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
        """Return which images an epoch trains on, where `epoch_images` says fewer than all.

        A recipe has one technique at most with this hook.

        Args:
            losses: (N,) float32 on the CPU, the cross-entropy that each image had in the step that
                last trained on it; infinite where there was none.
            count: How many to choose.
            rng: A CPU generator; the only source of randomness.

        Returns:
            (count,) int64, each index once. Their order does not matter.
        """
        return torch.arange(count, device="cpu")

    def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
        """Return the batch to train on. Never called for validation or test images.

        Args:
            batch: What to change, by returning another one.
            rng: The only source of randomness.
            progress: Share of the training that is done, 0 at its first step.
        """
        return batch

    def image_size(self, size: ImageSize, progress: float) -> ImageSize:
        """Return the size that `change_batch` gives to images of `size`, to count operations.

        No size may be smaller than the one at progress 0.

        Raises:
            ConfigError: Images of this size cannot be changed so.
        """
        return size

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        """Return the objective, given the loss so far (a scalar). Called for validation too."""
        return loss

    def average(
        self, average: Weights | None, weights: Weights, step: int, steps: int
    ) -> Weights | None:
        """Return the weights to evaluate and keep, or None for the trained ones.

        A recipe has one technique at most with this hook. What it knows of earlier steps is
        `average` alone, which is all that is saved and restored.

        Args:
            average: What this hook returned after the step before; None at first. It may be
                changed in place.
            weights: The net's own parameters and buffers after step `step`: to write into them
                changes the net.
            step: Number of steps taken, from 1.
            steps: Number of steps of the whole training.
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
