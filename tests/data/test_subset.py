"""Tests of class-balanced subsets."""

import pytest
import torch

from rungwise.data.images import LabelledImages
from rungwise.data.subset import class_balanced, ranks_within_class
from rungwise.errors import ConfigError, DataError
from rungwise.randomness import generator


def numbered(labels: list[int], classes: int = 3) -> LabelledImages:
    """Images of one pixel, each holding its own position."""
    images = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return LabelledImages(images, torch.tensor(labels), tuple("abcdef"[:classes]))


LABELS = [0, 1, 2, 2, 1, 0, 2, 2, 0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_as_many(seed: int) -> None:
    data = class_balanced(numbered(LABELS), 2, generator(seed))
    assert data.class_counts() == [2, 2, 2]
    for pixel, label in zip(data.images.flatten().tolist(), data.labels.tolist(), strict=True):
        assert LABELS[pixel] == label


def test_the_original_order_is_kept() -> None:
    positions = class_balanced(numbered(LABELS), 2, generator(0)).images.flatten().tolist()
    assert positions == sorted(set(positions))


def test_another_seed_gives_other_images() -> None:
    drawn = [class_balanced(numbered(LABELS), 1, generator(s)).fingerprint for s in range(10)]
    assert len(set(drawn)) > 3
    assert class_balanced(numbered(LABELS), 1, generator(0)).fingerprint == drawn[0]


def test_a_smaller_subset_lies_in_a_larger_one() -> None:
    small, large = (class_balanced(numbered(LABELS), n, generator(0)) for n in (1, 2))
    assert set(small.images.flatten().tolist()) < set(large.images.flatten().tolist())


def test_ranks_count_from_zero_in_each_class() -> None:
    ranks = ranks_within_class(torch.tensor(LABELS), 3, generator(0))
    for label, count in enumerate([3, 3, 5]):
        assert sorted(ranks[torch.tensor(LABELS) == label].tolist()) == list(range(count))


def test_every_image_of_a_class_can_be_drawn() -> None:
    drawn = [class_balanced(numbered(LABELS), 1, generator(s)) for s in range(60)]
    assert {int(d.images[d.labels == 2].item()) for d in drawn} == {2, 3, 6, 7, 10}


def test_too_few_images_name_the_class() -> None:
    with pytest.raises(DataError, match="class 'a' has 3 training images, fewer than 4") as caught:
        class_balanced(numbered(LABELS), 4, generator(0))
    assert caught.value.fix == "ask for at most @3"


def test_a_subset_of_none_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="subset of 0"):
        class_balanced(numbered(LABELS), 0, generator(0))
