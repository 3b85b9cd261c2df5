"""Whether images mirrored left-right still look like their own class.

A photo of a dog does, a handwritten 2 does not. It is asked of a class-balanced sample of small,
centred and normalised images, by a vote: each image of the sample gets the class that the others
are for, each with a weight that grows with its likeness to the image. The vote is held

- on the images as they are (how much it is to be trusted),
- on the mirrored images, where others are as they are: the share of the skill that is kept,
- on the images as they are, where mirrored copies of the others vote too: what two classes lose
  that are each other's mirror image, such as arrows to the left and to the right.

A vote of likenesses knows little of images, but here it need only compare. What it cannot tell is
answered by None. Where a class shows one side of its things only, such as all shoes pointing left,
part of the skill is lost, too, though mirroring helps there: so a good part of it has to be lost.
Frames of one film would mislead it: each has a double, which its mirror image has not.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F

from rungwise.data.images import LabelledImages
from rungwise.data.problems import EXAMPLES, Problem, listed
from rungwise.data.subset import ranks_within_class
from rungwise.randomness import generator

LEAST_KEPT = 0.55
"""Mirrored images that keep less of the vote's skill are no longer of their class. Measured: 0.25
to 0.5 on digits and MNIST, 0.67 to 0.87 on Fashion-MNIST, about 1 on CIFAR-10."""

LARGEST_FALL = 0.25
"""A class of which the vote loses so large a share to others' mirrored copies is mixed up."""

MOST_IMAGES = 2000
MOST_CLASSES = 200
FEWEST_OF_A_CLASS = 10
FEWEST_IMAGES = 100

_SIDE = 8
_TEMPERATURE = 0.1
_ERRORS_OF_THE_WHOLE = 2.5
_ERRORS_OF_A_CLASS = 4.0  # One among up to 200.


@dataclass(frozen=True, kw_only=True)
class MirroredClass:
    """What the votes said of one class; shares from 0 to 1.

    Args:
        name: The class.
        images: Number of its images in the sample.
        plain: Share that was recognised as it is.
        mirrored: Share that was recognised mirrored.
        with_copies: Share that was recognised as it is, where mirrored copies vote too.
        looks_like: The other class that most of the mirrored images were taken for; empty where
            all were recognised.
        mixed_up: Whether mirrored copies of others are taken for this class.
    """

    name: str
    images: int
    plain: float
    mirrored: float
    with_copies: float
    looks_like: str
    mixed_up: bool


@dataclass(frozen=True, kw_only=True)
class Mirroring:
    """What was counted on a sample of images and on their mirror images.

    Args:
        images: Number of images in the sample.
        chance: Error of an answer by chance, 0 to 1.
        plain_error: Error of the vote on the images as they are.
        mirrored_error: Error of the vote on the mirrored images.
        classes: The classes of the sample, those that suffer most first.
    """

    images: int
    chance: float
    plain_error: float
    mirrored_error: float
    classes: tuple[MirroredClass, ...]

    @property
    def kept(self) -> float:
        """Share of the skill beyond chance that is left on mirrored images; may be above 1."""
        return (self.chance - self.mirrored_error) / (self.chance - self.plain_error)

    @property
    def keeps_class(self) -> bool:
        """Whether mirrored images still look like their own class."""
        return self.kept >= LEAST_KEPT and not any(entry.mixed_up for entry in self.classes)

    @property
    def contradiction(self) -> str:
        """What to tell of images that do not keep their class: the classes that lose most."""
        lose = [c for c in self.classes if c.mixed_up or c.mirrored < LEAST_KEPT * c.plain]
        return (
            "images mirrored left-right look like other classes, most of all "
            f"{listed(entry.name for entry in lose)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {
            "keeps_class": self.keeps_class,
            "kept": self.kept,
            "images": self.images,
            "plain_error": self.plain_error,
            "mirrored_error": self.mirrored_error,
            "classes": [asdict(entry) for entry in self.classes],
        }


def check_mirroring(
    images: LabelledImages, *, seed: int = 0, most_images: int = MOST_IMAGES
) -> Mirroring | None:
    """Ask whether images mirrored left-right still look like their own class.

    Args:
        images: Of any size and number of channels.
        seed: Of the sample; the same seed gives the same answer.
        most_images: About how many images to look at.

    Returns:
        The answer; None where there are too few images or classes, or too little that a vote can
        tell them by, to say.
    """
    sample = _sample(images, most_images, seed)
    if sample is None:
        return None
    labels = sample.labels
    plain, mirrored = _likenesses(sample)
    belongs = F.one_hot(labels, sample.classes).float()
    votes, mirrored_votes = plain @ belongs, mirrored @ belongs
    right = votes.argmax(1) == labels
    answers = mirrored_votes.argmax(1)
    right_mirrored = answers == labels
    right_with_copies = (votes + mirrored_votes).argmax(1) == labels
    classes = tuple(_of_classes(sample, answers, right, right_mirrored, right_with_copies))
    chance = 1 - float((belongs.mean(0) ** 2).sum())
    skill, skill_mirrored = (hits.double() - (1 - chance) for hits in (right, right_mirrored))
    margin = skill_mirrored - LEAST_KEPT * skill
    noise = float(margin.std()) / math.sqrt(len(margin))
    is_certain = abs(float(margin.mean())) >= _ERRORS_OF_THE_WHOLE * noise
    if not float(skill.mean()) > 0 or not (is_certain or any(c.mixed_up for c in classes)):
        return None
    return Mirroring(
        images=len(sample),
        chance=chance,
        plain_error=1 - float(right.double().mean()),
        mirrored_error=1 - float(right_mirrored.double().mean()),
        classes=classes,
    )


def mirroring_problems(found: Mirroring | None) -> list[Problem]:
    """Return what a check of the data tells of mirroring, if anything."""
    if found is None or found.keeps_class:
        return []
    return [
        Problem(
            severity="note",
            kind="mirroring",
            problem=f"{found.contradiction}: of {found.images:,} images, each told by its likeness "
            f"to the others, {found.plain_error:.1%} are taken for another class as they are, "
            f"{found.mirrored_error:.1%} mirrored",
            expected="augmentation and views that leave an image in its class",
            fix="leave out flip, alternating-flip, mirrored-copies, and the views mirror",
            count=len(found.classes),
            examples=tuple(
                f"{c.name}: {c.plain:.0%} recognised, {c.mirrored:.0%} mirrored"
                + (f", mostly taken for {c.looks_like}" if c.looks_like else "")
                for c in found.classes[:EXAMPLES]
            ),
        )
    ]


def _sample(images: LabelledImages, most_images: int, seed: int) -> LabelledImages | None:
    """Draw about equally many images of each class that has enough, or of 200 such classes."""
    rng = generator(seed, "mirroring")
    counts = torch.bincount(images.labels, minlength=images.classes)
    large = (counts >= FEWEST_OF_A_CLASS).nonzero().flatten()
    if len(large) < 2:
        return None
    chosen = torch.zeros(images.classes, dtype=torch.bool, device="cpu")
    chosen[large[torch.randperm(len(large), generator=rng, device="cpu")[:MOST_CLASSES]]] = True
    each = max(FEWEST_OF_A_CLASS, most_images // int(chosen.sum()))
    drawn = ranks_within_class(images.labels, images.classes, rng) < each
    sample = images.take((drawn & chosen[images.labels]).nonzero().flatten())
    return sample if len(sample) >= FEWEST_IMAGES else None


def _likenesses(sample: LabelledImages) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weight (N, N) of each image's vote on each image, and on each mirrored one.

    No image votes on itself or on its own mirror image.
    """
    small = torch.cat([_shrunk(chunk) for chunk in sample.chunks()])
    plain, mirrored = _directions(small), _directions(small.flip(3))
    others = 1 - torch.eye(len(plain), dtype=torch.float32, device="cpu")

    def votes(voted_on: torch.Tensor) -> torch.Tensor:
        return ((voted_on @ plain.T - 1) / _TEMPERATURE).exp() * others

    return votes(plain), votes(mirrored)


def _shrunk(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (N, H, W, C) as (N, C, H, W) float32 with sides of at most 8 pixels."""
    _, height, width, _ = images.shape
    size = (min(height, _SIDE), min(width, _SIDE))
    return F.adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float(), size)


def _directions(images: torch.Tensor) -> torch.Tensor:
    """Return each image's deviations from its mean, as a vector of length 1; 0 for a flat one."""
    vectors = images.flatten(1)
    return F.normalize(vectors - vectors.mean(1, keepdim=True))


def _of_classes(
    sample: LabelledImages,
    answers: torch.Tensor,
    right: torch.Tensor,
    right_mirrored: torch.Tensor,
    right_with_copies: torch.Tensor,
) -> Iterator[MirroredClass]:
    """Yield what was counted of each class in the sample, those that lose most first."""
    lost = (right.float() - right_mirrored.float()) + (right.float() - right_with_copies.float())
    losses = torch.zeros(sample.classes, dtype=torch.float32, device="cpu").index_add_(
        0, sample.labels, lost
    )
    for label in losses.argsort(descending=True, stable=True).tolist():
        own = sample.labels == label
        count = int(own.sum())
        if not count:
            continue
        taken_for = torch.bincount(answers[own], minlength=sample.classes)
        taken_for[label] = 0
        gone = int((right & ~right_with_copies)[own].sum())
        won = int((~right & right_with_copies)[own].sum())
        yield MirroredClass(
            name=sample.class_names[label],
            images=count,
            plain=float(right[own].float().mean()),
            mirrored=float(right_mirrored[own].float().mean()),
            with_copies=float(right_with_copies[own].float().mean()),
            looks_like=sample.class_names[int(taken_for.argmax())] if taken_for.any() else "",
            mixed_up=gone - won >= LARGEST_FALL * count
            and gone - won >= _ERRORS_OF_A_CLASS * math.sqrt(gone + won),
        )
