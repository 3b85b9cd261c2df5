"""Tests of the question whether mirrored images keep their class."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rungwise.data import load
from rungwise.data.images import LabelledImages
from rungwise.data.mirroring import check_mirroring
from rungwise.data.subset import class_balanced
from rungwise.randomness import generator

RealData = Callable[[str], Path]


def noisy(pictures: torch.Tensor, each: int = 30) -> LabelledImages:
    """Return `each` images of every picture (K, 8, 8), a class each, under some noise."""
    count = len(pictures)
    labels = torch.arange(count).repeat_interleave(each)
    noise = torch.randint(0, 60, (len(labels), 8, 8), generator=generator("noise"))
    images = (180 * pictures[labels] + noise).to(torch.uint8)[..., None]
    return LabelledImages(images, labels, tuple(f"class-{label}" for label in range(count)))


def left_blob() -> torch.Tensor:
    picture = torch.zeros(8, 8)
    picture[2:6, :3] = 1
    return picture


def beam(row: int) -> torch.Tensor:
    picture = torch.zeros(8, 8)
    picture[row : row + 2] = 1
    return picture


@pytest.mark.parametrize("seed", range(3))
def test_mirrored_digits_are_no_digits(seed: int) -> None:
    found = check_mirroring(load("digits").train, seed=seed)
    assert found is not None and not found.keeps_class
    assert found.kept < 0.4
    assert {entry.name for entry in found.classes[:5]} <= {"2", "3", "5", "6", "7", "9"}


@pytest.mark.parametrize(("name", "keeps"), [("mnist", False), ("fashion-mnist", True)])
def test_few_real_images_tell(name: str, keeps: bool, real_data: RealData) -> None:
    real_data(name)
    train = load(name).train
    for seed in range(5):
        found = check_mirroring(class_balanced(train, 50, generator(seed)), seed=seed)
        assert found is not None and found.keeps_class is keeps


def test_mirrored_photos_keep_their_class(real_data: RealData) -> None:
    real_data("cifar10")
    train = load("cifar10").train
    for seed in range(3):
        found = check_mirroring(train, seed=seed)
        assert found is not None and found.keeps_class
        assert found.plain_error < found.chance  # or nothing would be known


def test_symmetrical_pictures_keep_their_class() -> None:
    found = check_mirroring(noisy(torch.stack([beam(0), beam(2), beam(4), beam(6)])))
    assert found is not None and found.keeps_class
    assert found.plain_error == found.mirrored_error == 0
    assert found.kept == 1
    assert found.chance == 0.75
    assert all(entry.looks_like == "" for entry in found.classes)


def test_two_classes_that_are_mirror_images_suffer_among_others_that_are_not() -> None:
    left = left_blob()
    beams = [beam(row) for row in range(7)]
    found = check_mirroring(noisy(torch.stack([*beams, left, left.flip(1)])))
    assert found is not None
    assert found.kept > 0.7  # most classes do not suffer, so this would not tell
    assert not found.keeps_class
    worst = found.classes[:2]
    assert {entry.name for entry in worst} == {"class-7", "class-8"}
    assert {entry.looks_like for entry in worst} == {"class-7", "class-8"}
    assert [entry.mixed_up for entry in found.classes] == [True] * 2 + [False] * 7


def test_the_same_seed_gives_the_same_answer() -> None:
    digits = load("digits").train
    assert check_mirroring(digits, seed=1) == check_mirroring(digits, seed=1)
    assert check_mirroring(digits, seed=1, most_images=500) != check_mirroring(
        digits, seed=2, most_images=500
    )


def test_too_few_images_or_classes_are_not_judged() -> None:
    pictures = torch.stack([beam(0), beam(2), left_blob()])
    assert check_mirroring(noisy(pictures, each=9)) is None
    assert check_mirroring(noisy(pictures[:2], each=49)) is None
    assert check_mirroring(noisy(pictures[:2], each=50)) is not None
    assert check_mirroring(noisy(pictures[:1], each=200)) is None


def test_pictures_that_tell_nothing_are_not_judged() -> None:
    same = torch.zeros(2, 8, 8)
    assert check_mirroring(noisy(same, each=100)) is None


def test_small_classes_are_left_out() -> None:
    data = noisy(torch.stack([beam(0), beam(3), beam(6), left_blob()]), each=60)
    few = data.take(torch.arange(3 * 60 + 5))
    found = check_mirroring(few)
    assert found is not None and found.keeps_class
    assert (found.images, len(found.classes)) == (180, 3)


def test_each_class_gives_about_as_many_images() -> None:
    found = check_mirroring(noisy(torch.stack([beam(0), beam(4)]), each=400), most_images=300)
    assert found is not None
    assert [entry.images for entry in found.classes] == [150, 150]


def test_of_thousands_of_classes_some_are_looked_at() -> None:
    pictures = torch.rand(1000, 8, 8, generator=generator("many"))
    found = check_mirroring(noisy(pictures, each=10))
    assert found is not None
    assert (found.images, len(found.classes)) == (2000, 200)
    assert not found.keeps_class


@pytest.mark.parametrize("shape", [(3, 5, 1), (40, 6, 3), (9, 17, 4)])
def test_any_size_and_number_of_channels_is_taken(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (2, *shape), generator=generator("shape"), dtype=torch.uint8)
    labels = torch.arange(2).repeat(60)
    data = LabelledImages(images[labels], labels, ("a", "b"))
    found = check_mirroring(data)
    assert found is None or found.images == 120


def test_it_takes_far_less_than_two_seconds_on_sixty_thousand_images() -> None:
    images = torch.randint(0, 256, (60_000, 28, 28, 1), generator=generator(0), dtype=torch.uint8)
    data = LabelledImages(images, torch.arange(60_000) % 10, tuple("abcdefghij"))
    started = time.process_time()
    check_mirroring(data)
    assert time.process_time() - started < 2
