"""A small set with the same number of images of each class."""

import torch

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError, DataError


def class_balanced(data: LabelledImages, per_class: int, rng: torch.Generator) -> LabelledImages:
    """Return `per_class` random images of each class, in their original order.

    With generators of the same seed, a smaller subset is contained in a larger one.

    Args:
        data: The images to draw from.
        per_class: Number of images of each class, at least 1.
        rng: A CPU generator.

    Raises:
        ConfigError: `per_class` is below 1.
        DataError: A class has fewer images than that.
    """
    require_per_class(data, per_class)
    ranks = ranks_within_class(data.labels, data.classes, rng)
    return data.take((ranks < per_class).nonzero().squeeze(1))


def require_per_class(data: LabelledImages, per_class: int) -> None:
    """Make sure that every class has at least `per_class` images.

    Raises:
        ConfigError: `per_class` is below 1.
        DataError: A class has fewer images.
    """
    if per_class < 1:
        raise ConfigError(
            f"a subset of {per_class} images of each class",
            expected="at least 1 image of each class",
            fix="write for example NAME@100",
        )
    count, name = min(zip(data.class_counts(), data.class_names, strict=True))
    if count < per_class:
        raise DataError(
            f"class {name!r} has {count} training images, fewer than {per_class}",
            expected="as many images in every class as the subset draws of each",
            fix=f"ask for at most @{count}" if count else f"add images of class {name!r}",
        )


def ranks_within_class(labels: torch.Tensor, classes: int, rng: torch.Generator) -> torch.Tensor:
    """Put the images of each class in a random order and return each image's place in it.

    Args:
        labels: (N,) int64, 0 to `classes` - 1.
        classes: K.
        rng: A CPU generator.

    Returns:
        (N,) int64: 0 for one image of each class, 1 for another, and so on.
    """
    shuffled = torch.randperm(len(labels), generator=rng, device="cpu")
    grouped = shuffled[torch.argsort(labels[shuffled], stable=True)]
    counts = torch.bincount(labels, minlength=classes)
    starts = counts.cumsum(0) - counts
    ranks = torch.empty_like(labels)
    ranks[grouped] = torch.arange(len(labels), device="cpu") - starts[labels[grouped]]
    return ranks
