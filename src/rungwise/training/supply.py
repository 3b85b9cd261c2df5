"""What the steps of a training are fed: which images, in which order, and changed how."""

import math

import torch

from rungwise import randomness
from rungwise.augment import Turn
from rungwise.data.images import LabelledImages
from rungwise.models.input import to_unit
from rungwise.native import kernels
from rungwise.techniques import Batch, Technique
from rungwise.training.course import course_of
from rungwise.training.objective import cross_entropies
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed


class Supply:
    """The training images of one training, with what its augmentations and techniques do to them.

    Args:
        recipe: How it is trained.
        train: The images to learn from, enlarged where an augmentation does that.
        seed: Keys the order of the images and all that is drawn for them.
        device: Where the batches are made; images are moved there once, if they fit.
    """

    def __init__(
        self, recipe: Recipe, train: LabelledImages, seed: Seed, device: torch.device
    ) -> None:
        self._recipe, self._seed, self._device = recipe, seed, device
        self.images, self.labels = train.on(device), train.labels.to(device)
        self.course = course_of(recipe, len(train))
        # Not F.one_hot, which looks at the labels first: on a GPU the host would wait for that.
        self._one_hot = torch.eye(train.classes, device=device, dtype=torch.float32)
        coins = torch.randint(
            2, (len(train),), generator=self._rng("coins"), dtype=torch.bool, device="cpu"
        )
        self._coins = coins.to(device)
        self._kernels = kernels() if device.type == "cpu" else None
        self._choosing = next((t for t in recipe.techniques if t.acts_on("choose")), None)
        self.choice: dict[str, torch.Tensor] = {}
        if self._choosing is not None:
            unseen = torch.full((len(train),), math.inf, device=device, dtype=torch.float32)
            self.choice = {
                "losses": unseen,
                "chosen": torch.ones(len(train), dtype=torch.bool, device="cpu"),
            }

    def order(self, epoch: int, *, begins: bool) -> torch.Tensor:
        """Return the indices of an epoch's images in the order in which they are trained on.

        Args:
            epoch: From 1.
            begins: Whether the epoch begins, or goes on from a saved state: within an epoch the
                losses are newer than those it was chosen by.
        """
        order = torch.randperm(len(self.images), generator=self._rng("order", epoch), device="cpu")
        if self._choosing is not None:
            if begins:
                self._choose(self._choosing, epoch)
            order = order[self.choice["chosen"][order]]
        return order.to(self._device)

    def _choose(self, technique: Technique, epoch: int) -> None:
        count, chosen = self.course.images_of(epoch), self.choice["chosen"]
        if count == len(chosen):
            chosen.fill_(True)
            return
        rng = self._rng("choice", epoch)
        indices = technique.choose(self.choice["losses"].cpu(), count, rng)
        chosen.fill_(False)[indices] = True

    def batch(
        self, indices: torch.Tensor, epoch: int, progress: float, rng: torch.Generator
    ) -> Batch:
        """Return the batch of a step, changed by augmentations and techniques.

        Args:
            indices: (N,) int64, of training images.
            epoch: From 1.
            progress: Share of the training that is done.
            rng: The step's.
        """
        pixels = self.images.gather(indices).to(self._device)
        images = to_unit(pixels) if self._kernels is None else self._kernels.to_unit(pixels)
        turn = Turn(epoch, indices, self._coins[indices])
        for augmentation in self._recipe.augment:
            images = augmentation.change_turn(images, rng, turn)
        batch = Batch(images, self._one_hot[self.labels[indices]])
        for technique in self._recipe.techniques:
            batch = technique.change_batch(batch, rng, progress)
        return batch

    def unchanged(self, pixels: torch.Tensor, labels: torch.Tensor) -> Batch:
        """Return images to measure with as a batch: (N, H, W, C) uint8 with labels (N,) int64."""
        images = to_unit(pixels.to(self._device))
        return Batch(images, self._one_hot[labels.to(self._device)])

    def learn(self, indices: torch.Tensor, logits: torch.Tensor, batch: Batch) -> None:
        """Take note of what the net said of a batch, where a technique chooses by that."""
        if self._choosing is not None:
            self.choice["losses"][indices] = cross_entropies(logits, batch.targets)

    def _rng(self, purpose: str, *position: int) -> torch.Generator:
        return randomness.generator(str(self._seed), purpose, *position)
