"""What an augmentation is: a change of images that keeps their labels true."""

from typing import NamedTuple

import torch

from rungwise.data.images import LabelledImages


class Turn(NamedTuple):
    """Which images of a training stand in a batch, and when.

    Args:
        epoch: From 1.
        indices: (N,) int64, where each image stands in the training set.
        coins: (N,) bool, a fair toss for each image that is the same in every epoch.
    """

    epoch: int
    indices: torch.Tensor
    coins: torch.Tensor


class Augmentation:
    """A frozen dataclass of settings over a pure function of a whole batch.

    A subclass overrides `change_images` or `enlarge`, and `change_turn` as well where it matters
    which images these are and in which epoch. All return new values, never change their arguments.
    Augmentations see training images alone (and, for test-time augmentation, copies of the images
    to predict); validation and test images never pass through one otherwise.
    """

    mirrors: bool = False
    """Whether images are mirrored left-right, which not all data allow."""

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Return changed images; each image has draws of its own.

        Args:
            images: (N, C, H, W) float in 0..1, on any device, channels-last in memory or not.
            rng: The only source of randomness; on the CPU or on the images' device.

        Returns:
            Images of the same shape, dtype and device.
        """
        return images

    def change_turn(self, images: torch.Tensor, rng: torch.Generator, turn: Turn) -> torch.Tensor:
        """Return the changed images of a training step; copies to predict with have no turn.

        Args:
            images: As for `change_images`.
            rng: As for `change_images`.
            turn: Which images of the training these are, on the images' device, and when.
        """
        return self.change_images(images, rng)

    def enlarge(self, data: LabelledImages) -> LabelledImages:
        """Return the training set that the run shall use instead of `data`, before it starts."""
        return data


def uniform(images: torch.Tensor, rng: torch.Generator, low: float, high: float) -> torch.Tensor:
    """Draw one number in [low, high) for each image: (N,) float32 on the images' device."""
    draws = torch.rand(len(images), generator=rng, device=rng.device, dtype=torch.float32)
    return (draws * (high - low) + low).to(images.device)


def integers(images: torch.Tensor, rng: torch.Generator, low: int, high: int) -> torch.Tensor:
    """Draw one whole number from low to high, both included, for each image: (N,) int64."""
    draws = torch.randint(low, high + 1, (len(images),), generator=rng, device=rng.device)
    return draws.to(images.device)


def random_levels(count: int, rng: torch.Generator) -> torch.Tensor:
    """Draw `count` whole numbers from 0 to 255: (count,) uint8 on the generator's device."""
    # Bytes cut from 64-bit draws: a third of the time that torch.rand takes on a CPU.
    words = -(-count // 8)
    draws = torch.randint(-(2**63), 2**63 - 1, (words,), generator=rng, device=rng.device)
    return draws.view(torch.uint8)[:count]


def per_image(draws: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Give draws (N,) the shape (N, 1, 1, 1) and the dtype of the images they are joined with."""
    return draws.to(images.dtype).view(-1, 1, 1, 1)
