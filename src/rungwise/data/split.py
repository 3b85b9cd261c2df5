"""Parts that are set aside, and hold every class in proportion."""

from dataclasses import replace

import torch

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.subset import ranks_within_class
from rungwise.errors import ConfigError, DataError
from rungwise.randomness import generator

USUAL_SHARE = 0.1
"""The share of the training images that a recipe holds out unless it says otherwise."""


def with_test_share(dataset: Dataset, share: float) -> Dataset:
    """Return a data set without a test part with a share of its training images as the test part.

    The same images with the same share always give the same parts, whatever the seed of a run:
    the draw is keyed `("test share",)`. It comes before the draw of `NAME@n`.

    Raises:
        ConfigError: The set has a test part, or the share is not between 0 and 1.
        DataError: One of the parts would be empty.
    """
    if dataset.test is not None:
        raise ConfigError(
            f"a test share of {share} has no effect on {dataset.name}, which has a test part",
            expected="a test share only for data without a test part",
            fix="leave the test share out",
        )
    rng = generator("test share")
    train, test = stratified_split(dataset.train, share, rng, aside="test")
    return replace(dataset, train=train, test=test, test_share=share)


def stratified_split(
    data: LabelledImages, share: float, rng: torch.Generator, *, aside: str = "validation"
) -> tuple[LabelledImages, LabelledImages]:
    """Set a share of each class aside.

    The class counts are rounded by largest remainder, so that they add up to the rounded total,
    at least 1; equal remainders are decided by `rng`. Of every class at least one image stays for
    training, so a class with one image has none in the second part. Both parts keep the original
    order.

    Args:
        data: The images to split.
        share: Share of the images in the second part, between 0 and 1.
        rng: A CPU generator.
        aside: What the second part is called, for messages.

    Returns:
        The larger part for training, and the part set aside.

    Raises:
        ConfigError: `share` is not between 0 and 1.
        DataError: One of the parts would be empty.
    """
    if not 0 < share < 1:
        raise ConfigError(
            f"the {aside} share is {share}",
            expected="a number above 0 and below 1",
            fix="pass a share such as 0.1",
        )
    quotas = _quotas(torch.tensor(data.class_counts(), dtype=torch.int64, device="cpu"), share, rng)
    if not int(quotas.sum()):
        raise DataError(
            f"no image is left for {aside}: each of the {data.classes} classes has one image "
            "alone, which is needed to train on",
            expected="at least two images of some class",
            fix=f"add images, or set nothing aside (without a {aside} share)",
        )
    in_second = ranks_within_class(data.labels, data.classes, rng) < quotas[data.labels]
    first, second = ((~in_second).nonzero(), in_second.nonzero())
    return data.take(first.squeeze(1)), data.take(second.squeeze(1))


def _quotas(counts: torch.Tensor, share: float, rng: torch.Generator) -> torch.Tensor:
    """Return how many images of each class are set aside: (K,) int64."""
    exact = counts.double() * share
    room = (counts - 1).clamp(min=0)
    quotas = torch.minimum(exact.floor().long(), room)
    total = max(1, round(int(counts.sum()) * share))
    ties = torch.randperm(len(counts), generator=rng, device="cpu")
    by_remainder = ties[torch.argsort(-(exact - quotas)[ties], stable=True)]
    with_room = by_remainder[(quotas < room)[by_remainder]]
    quotas[with_room[: max(0, total - int(quotas.sum()))]] += 1
    return quotas
