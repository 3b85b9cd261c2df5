"""A validation part that holds every class in proportion."""

import torch

from rungwise.data.images import LabelledImages
from rungwise.data.subset import ranks_within_class
from rungwise.errors import ConfigError, DataError

USUAL_SHARE = 0.1
"""The share of the training images that a recipe holds out unless it says otherwise."""


def stratified_split(
    data: LabelledImages, share: float, rng: torch.Generator
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

    Returns:
        The larger part for training, and the part set aside.

    Raises:
        ConfigError: `share` is not between 0 and 1.
        DataError: One of the parts would be empty.
    """
    if not 0 < share < 1:
        raise ConfigError(
            f"the validation share is {share}",
            expected="a number above 0 and below 1",
            fix="pass a share such as 0.1",
        )
    quotas = _quotas(torch.tensor(data.class_counts()), share, rng)
    if not int(quotas.sum()):
        raise DataError(
            f"no image is left to validate with: each of the {data.classes} classes has one image "
            "alone, which is needed to train on",
            expected="at least two images of some class",
            fix="add images, add a validation part, or hold nothing out (a validation share of 0)",
        )
    aside = ranks_within_class(data.labels, data.classes, rng) < quotas[data.labels]
    return data.take((~aside).nonzero().squeeze(1)), data.take(aside.nonzero().squeeze(1))


def _quotas(counts: torch.Tensor, share: float, rng: torch.Generator) -> torch.Tensor:
    """Return how many images of each class are set aside: (K,) int64."""
    exact = counts.double() * share
    room = (counts - 1).clamp(min=0)
    quotas = torch.minimum(exact.floor().long(), room)
    total = max(1, round(int(counts.sum()) * share))
    ties = torch.randperm(len(counts), generator=rng)
    by_remainder = ties[torch.argsort(-(exact - quotas)[ties], stable=True)]
    with_room = by_remainder[(quotas < room)[by_remainder]]
    quotas[with_room[: max(0, total - int(quotas.sum()))]] += 1
    return quotas
