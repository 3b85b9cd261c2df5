"""A ladder for data that none was made for, chosen by the images and by the time there is.

plain     a compact net, trained for up to a 25th of the time
moved     on images moved a little; symbols are turned and zoomed, too
mirrored  where a mirrored image looks like its own class
varied    where there are few photos: each changed in one of many ways
balanced  beside these, where classes differ in size: rare ones shown more often
longer    four times as long
hidden    where there are many photos: a square of each cut out
views     the mean over several views
ensemble  the mean of three such nets; it is measured where time is left
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from rungwise.augment import (
    Affine,
    AlternatingFlip,
    BalancedCopies,
    Cutout,
    Shift,
    TrivialAugment,
)
from rungwise.augment.views import Mirror, RandomCopies
from rungwise.data import Dataset, draw
from rungwise.data.mirroring import check_mirroring
from rungwise.errors import ConfigError
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.result import UNEQUAL
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models.input import network_shape
from rungwise.training.recipe import Members, Recipe

SECONDS = 1200.0
"""Time that the ladder is chosen for where no budget is given."""
SHARE = 1 / 25
"""Share of the time that one training of the first rung takes, about."""
LONGER = 4
"""Trainings of the later rungs, in those of the first."""

SIZES = (
    ((16, 32, 64), 3, 10_000),
    ((32, 64, 128), 3, 20_000),
    ((32, 64, 128), 6, 50_000),
    ((64, 128, 256), 3, 50_000),
    ((64, 128, 256), 6, 50_000),
    ((64, 256, 256), 6, 50_000),
    ((64, 256, 256), 12, 100_000),
    ((128, 384, 384), 12, 100_000),
)
"""Widths of the three groups, epochs, and images that pass through a training at least: few images
are seen more often. The cheapest first."""
FEW = 10_000
"""Training images below which many changes pay more than a hidden square."""
LARGEST_BATCH, SMALLEST_BATCH, STEPS_PER_EPOCH = 500, 16, 20
SMALLEST_SIDE = 8

LikelySeconds = Callable[[Recipe], float]
"""How long a training of a recipe takes, about."""


@dataclass(frozen=True)
class Traits:
    """What of some data a ladder is chosen by.

    Args:
        shape: (C, H, W) of an image.
        counts: Number of training images of each class.
        mirrors: Whether a mirrored image looks like its own class; None where that is not known.
    """

    shape: tuple[int, int, int]
    counts: tuple[int, ...]
    mirrors: bool | None

    @property
    def images(self) -> int:
        """Number of training images."""
        return sum(self.counts)

    @property
    def are_few(self) -> bool:
        """Whether there are few images."""
        return self.images < FEW

    @property
    def are_unequal(self) -> bool:
        """Whether one class is much larger than another that has images."""
        there = [count for count in self.counts if count]
        return max(there) >= UNEQUAL * min(there)


def general_ladder(
    dataset: Dataset, likely_seconds: LikelySeconds, *, seconds: float = SECONDS
) -> Ladder:
    """Return a ladder that suits some data and a time.

    Args:
        dataset: Its training images are looked at: their size, classes, number, and whether they
            may be mirrored.
        likely_seconds: Asked of ever larger trainings, until one takes too long.
        seconds: That the whole climb may take.

    Raises:
        ConfigError: The images are smaller than 8×8 pixels.
    """
    train = draw(dataset, 0.0, seed=0).train
    found = check_mirroring(train)
    traits = Traits(
        network_shape(train), tuple(train.class_counts()), found.keeps_class if found else None
    )
    if min(traits.shape[1:]) < SMALLEST_SIDE:
        raise ConfigError(
            f"the images have {traits.shape[1]}×{traits.shape[2]} pixels",
            expected=f"at least {SMALLEST_SIDE}×{SMALLEST_SIDE} for the general ladder",
            fix="train one net: rungwise train DATA",
        )
    kind = "may be mirrored" if traits.mirrors else "are not mirrored"
    return Ladder(
        name="general",
        data=dataset.name,
        title=f"{dataset.name}: {traits.images:,} training images that {kind}",
        rungs=rungs_for(traits, plain(traits, likely_seconds, seconds * SHARE)),
    )


def plain(traits: Traits, likely_seconds: LikelySeconds, seconds: float) -> Recipe:
    """Return the first rung's recipe: the largest size that takes no longer than `seconds`."""
    chosen, *larger = [first_recipe(traits, *size) for size in SIZES]
    for recipe in larger:
        if likely_seconds(recipe) > seconds:
            break
        chosen = recipe
    return chosen


def first_recipe(traits: Traits, widths: tuple[int, int, int], epochs: int, seen: int) -> Recipe:
    """Return the first rung's recipe in one of the `SIZES`."""
    batch_size = min(LARGEST_BATCH, max(SMALLEST_BATCH, traits.images // STEPS_PER_EPOCH))
    return whitened(
        "plain",
        groups(widths, min(traits.shape[1:])),
        2 if traits.shape[0] > 1 else 3,
        epochs=max(epochs, math.ceil(seen / traits.images)),
        batch_size=batch_size,
        lr=round(0.12 * (batch_size / LARGEST_BATCH) ** 0.5, 3),
    )


def rungs_for(traits: Traits, first: Recipe) -> tuple[Rung, ...]:
    """Return the rungs for some data, of which the first recipe is given."""
    side = min(traits.shape[1:])
    rungs = [Rung(recipe=first, change=f"compact net on a whitened layer, {first.epochs} epochs")]

    def add(change: str, name: str, **changes: object) -> Recipe:
        base = rungs[-1].recipe
        recipe = replace(base, name=name, **changes)  # type: ignore[arg-type]
        rungs.append(Rung(recipe=recipe, change=change, base=base.name))
        return recipe

    if traits.mirrors:
        top = add("images moved a little", "moved", augment=(Shift(pixels=max(1, side // 16)),))
        moves = (AlternatingFlip(), *top.augment)
        top = add("+ mirrored in turn", "mirrored", augment=moves)
        if traits.are_few:
            changes = (*top.augment, TrivialAugment())
            top = add("+ changed in one of many ways", "varied", augment=changes)
    else:
        turned = Affine(rotate_degrees=10, shift=0.08, zoom=0.1)
        top = add("images turned, moved and zoomed a little", "moved", augment=(turned,))
    beside = Rung(
        recipe=replace(top, name="balanced", augment=(BalancedCopies(), *top.augment)),
        change="rare classes shown as often as others",
        base=top.name,
    )
    top = add(f"{LONGER} times as many epochs", "longer", epochs=LONGER * top.epochs)
    if traits.mirrors and not traits.are_few:
        hidden = (*top.augment, Cutout(size=side // 3))
        add("+ a square cut out", "hidden", augment=hidden)
    if traits.mirrors:
        add("+ mean over 6 views", "views", views=Mirror(pixels=1))
    else:
        add("+ mean over 16 changed copies", "views", views=RandomCopies(copies=16))
    add("mean of 3 nets", "ensemble", ensemble=(Members(count=3),))
    if traits.are_unequal:
        rungs.insert([rung.name for rung in rungs].index("longer"), beside)
    return tuple(rungs)


def groups(widths: tuple[int, int, int], side: int) -> tuple[int, ...]:
    """Return the groups' widths for images of a side: each group halves it.

    >>> groups((64, 128, 256), 8), groups((64, 128, 256), 32), groups((64, 128, 256), 64)
    ((64, 256), (64, 128, 256), (64, 64, 128, 256))
    """
    first, second, last = widths
    if side < 16:
        return first, last
    return (*[first] * max(0, int(math.log2(side)) - 5), first, second, last)
