"""Tests of the parts that a run sees."""

from dataclasses import replace

import pytest
import torch

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.parts import Parts, draw
from rungwise.errors import ConfigError, DataError


def random_images(count: int, seed: int) -> LabelledImages:
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 2, 2, 1), generator=rng).to(torch.uint8)
    return LabelledImages(images, torch.arange(count) % 4, tuple("abcd"))


DATA = Dataset("some", random_images(80, 0), test=random_images(12, 1))


def fingerprints(parts: Parts) -> list[str]:
    return [part.fingerprint for part in (parts.train, parts.validation, parts.test) if part]


def test_a_share_is_carved_from_the_training_images() -> None:
    parts = draw(DATA, 0.25, seed=0)
    assert parts.train.class_counts() == [15] * 4
    assert parts.validation.class_counts() == [5] * 4
    assert parts.test is DATA.test


def test_the_same_seed_gives_the_same_parts() -> None:
    some = replace(DATA, per_class=10)
    assert fingerprints(draw(some, 0.2, 3)) == fingerprints(draw(some, 0.2, 3))
    assert fingerprints(draw(some, 0.2, 3))[:2] != fingerprints(draw(some, 0.2, 4))[:2]


def test_the_subset_is_drawn_before_the_split() -> None:
    parts = draw(replace(DATA, per_class=10), 0.2, seed=0)
    assert parts.train.class_counts() == [8] * 4
    assert parts.validation.class_counts() == [2] * 4
    assert parts.test is not None and len(parts.test) == 12


def test_an_own_validation_part_goes_before_a_share() -> None:
    own = random_images(8, 2)
    parts = draw(replace(DATA, validation=own, per_class=5), 0.2, seed=0)
    assert parts.validation is own
    assert len(parts.train) == 20


def test_the_test_part_can_validate() -> None:
    parts = draw(replace(DATA, validation=random_images(8, 2)), "test", seed=0)
    assert parts.validation is DATA.test
    assert parts.test is DATA.test
    assert len(parts.train) == 80


def test_without_a_test_part_it_cannot() -> None:
    with pytest.raises(DataError, match="some has no test part"):
        draw(replace(DATA, test=None), "test", seed=0)
    assert draw(replace(DATA, test=None), 0.1, seed=0).test is None


def test_another_word_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="validation is 'train'"):
        draw(DATA, "train", seed=0)  # type: ignore[arg-type]
