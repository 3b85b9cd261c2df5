"""Balanced copies."""

import pytest
import torch

from rungwise.augment import BalancedCopies
from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError


def images_of(*counts: int) -> LabelledImages:
    """Return sets whose pixels tell the image's number."""
    labels = torch.cat([torch.full((n,), label) for label, n in enumerate(counts)])
    pixels = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1)
    return LabelledImages(pixels, labels, tuple(map(str, range(len(counts)))))


def test_all_classes_come_to_the_largest_ones_size() -> None:
    enlarged = BalancedCopies().enlarge(images_of(8, 3, 8, 1))

    assert enlarged.class_counts() == [8, 8, 8, 8]
    assert torch.equal(enlarged.images[:20], images_of(8, 3, 8, 1).images)


def test_the_images_of_a_class_are_shown_equally_often_or_once_more() -> None:
    enlarged = BalancedCopies().enlarge(images_of(8, 3))

    shown = torch.bincount(enlarged.images.flatten().long())
    assert shown[:8].tolist() == [1] * 8
    assert sorted(shown[8:].tolist()) == [2, 3, 3]


def test_copies_keep_their_labels() -> None:
    enlarged = BalancedCopies().enlarge(images_of(8, 3))
    assert torch.equal(enlarged.labels, (enlarged.images.flatten() >= 8).long())


def test_half_the_strength_goes_half_the_way_in_ratios() -> None:
    assert BalancedCopies(strength=0.5).enlarge(images_of(100, 4)).class_counts() == [100, 20]


def test_a_class_without_images_stays_without() -> None:
    data = images_of(4, 2)
    data = LabelledImages(data.pixels, data.labels, ("a", "b", "none"))
    assert BalancedCopies().enlarge(data).class_counts() == [4, 4, 0]


def test_equal_classes_are_an_error() -> None:
    with pytest.raises(ConfigError, match="no effect"):
        BalancedCopies().enlarge(images_of(5, 5))


@pytest.mark.parametrize("strength", [0, -0.5, 2])
def test_impossible_strengths_are_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="balanced-copies"):
        BalancedCopies(strength=strength)
