"""How many operations a training takes, where its steps differ: small images, frozen layers."""

import functools
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.input import ScaledNetwork
from rungwise.models.summary import summarize
from rungwise.training.course import course_of
from rungwise.training.recipe import Recipe

Shape = tuple[int, int, int]
"""(C, H, W) of one image."""


class Work(NamedTuple):
    """What a step does with each image.

    Args:
        shape: With which the image enters the net.
        frozen: Names of the net's modules that are no longer trained.
    """

    shape: Shape
    frozen: frozenset[str] = frozenset()


def shape_at(recipe: Recipe, shape: Shape, progress: float) -> Shape:
    """Return the shape that images of `shape` enter the net with at a point of the training.

    Raises:
        ConfigError: A technique cannot make that of images of this shape.
    """
    channels, *size = shape
    height, width = size
    for technique in recipe.techniques:
        height, width = technique.image_size((height, width), progress)
    return channels, height, width


def frozen_at(recipe: Recipe, shape: Shape, classes: int, progress: float) -> frozenset[str]:
    """Return the names of the net's modules that the techniques freeze at a point of the training.

    Raises:
        ConfigError: A technique cannot freeze what it is to.
    """
    freezing = [technique for technique in recipe.techniques if technique.acts_on("frozen")]
    if not freezing:
        return frozenset()
    net, names = _skeleton(recipe.model, shape, classes)
    return frozenset(names[module] for t in freezing for module in t.frozen(net, progress))


@functools.cache
def _skeleton(
    model: Model, shape: Shape, classes: int
) -> tuple[ScaledNetwork, dict[nn.Module, str]]:
    """Return a net without memory, to ask techniques about, and the names of its modules."""
    network = model.build(shape, classes, None).to("meta")
    unit = torch.ones(shape[0], device="meta", dtype=torch.float32)
    names = {module: name for name, module in network.named_modules()}
    return ScaledNetwork(network, unit, unit), names


def require_work(recipe: Recipe, shape: Shape, classes: int) -> None:
    """Check that the net takes the training's smallest images, which are its first, and freezes.

    Raises:
        ConfigError: It does not, or images of `shape` cannot be made so small.
    """
    first = shape_at(recipe, shape, 0.0)
    try:
        summarize(recipe.model, first, classes)
    except ConfigError as error:
        if first == shape:
            raise
        raise ConfigError(
            f"{error.problem}, the size with which the training begins",
            expected=error.expected,
            fix=f"let it begin with larger images, or {error.fix}",
        ) from None
    frozen_at(recipe, shape, classes, 1.0)


def training_operations(
    recipe: Recipe, shape: Shape, classes: int, *, images: int, epochs: int
) -> int:
    """Return the floating-point operations of the first epochs of a training.

    Args:
        recipe: How it is trained; its own number of epochs is the whole training.
        shape: Of the training images.
        classes: K.
        images: Number of training images, copies counted.
        epochs: How many of the recipe's epochs to count.
    """
    done = images_of_each_work(recipe, shape, classes, images=images, epochs=epochs)
    return sum(_operations(recipe, classes, work) * count for work, count in done.items())


def first_operations(recipe: Recipe, shape: Shape, classes: int) -> int:
    """Return the floating-point operations of a training's first image, there and back."""
    frozen = frozen_at(recipe, shape, classes, 0.0)
    return _operations(recipe, classes, Work(shape_at(recipe, shape, 0.0), frozen))


def _operations(recipe: Recipe, classes: int, work: Work) -> int:
    return summarize(recipe.model, work.shape, classes, work.frozen).training_flops_per_image


def images_of_each_work(
    recipe: Recipe, shape: Shape, classes: int, *, images: int, epochs: int
) -> Counter[Work]:
    """Count the images of the steps by what is done with them."""
    course = course_of(recipe, images)
    if not any(t.acts_on("image_size") or t.acts_on("frozen") for t in recipe.techniques):
        return Counter({Work(shape): course.images_in(epochs)})
    steps = list(course.each_step(epochs))
    frozen = _frozen_at_each(recipe, shape, classes, [progress for progress, _ in steps])
    done: Counter[Work] = Counter()
    for (progress, size), names in zip(steps, frozen, strict=True):
        done[Work(shape_at(recipe, shape, progress), names)] += size
    return done


def _frozen_at_each(
    recipe: Recipe, shape: Shape, classes: int, moments: list[float]
) -> Iterator[frozenset[str]]:
    """Yield what is frozen at each of these points of the training, which rise."""
    start = 0
    while start < len(moments):
        names = frozen_at(recipe, shape, classes, moments[start])
        # As nothing is trained again, a look at few of the points tells where more is frozen.
        end = bisect_right(
            moments, len(names), start, key=lambda at: len(frozen_at(recipe, shape, classes, at))
        )
        yield from itertools.repeat(names, end - start)
        start = end
