"""Impossible settings are refused, in three parts; settings without effect too."""

import math
from collections.abc import Callable

import pytest
import torch

from rungwise.augment import (
    Affine,
    Augmentation,
    Brightness,
    ChannelShift,
    Contrast,
    Crop,
    Cutout,
    Flip,
    RandomErasing,
    Shift,
    VerticalFlip,
)
from rungwise.errors import ConfigError
from rungwise.randomness import generator

WITHOUT_EFFECT: list[Callable[[], Augmentation]] = [
    lambda: Flip(probability=0),
    lambda: VerticalFlip(probability=0),
    lambda: Shift(pixels=0),
    lambda: Crop(padding=0),
    lambda: Affine(),
    lambda: ChannelShift(amount=0),
    lambda: Brightness(amount=0),
    lambda: Contrast(amount=0),
    lambda: Cutout(size=0),
    lambda: RandomErasing(probability=0),
]

IMPOSSIBLE: list[Callable[[], Augmentation]] = [
    lambda: Flip(probability=1.5),
    lambda: Flip(probability=-0.1),
    lambda: Flip(probability=math.nan),
    lambda: VerticalFlip(probability=50),
    lambda: Shift(pixels=-1),
    lambda: Shift(fill="mirror"),
    lambda: Crop(padding=-4),
    lambda: Affine(rotate_degrees=-1),
    lambda: Affine(rotate_degrees=181),
    lambda: Affine(rotate_degrees=math.nan),
    lambda: Affine(shift=20),
    lambda: Affine(zoom=1),
    lambda: ChannelShift(amount=51),
    lambda: Brightness(amount=-0.2),
    lambda: Contrast(amount=2),
    lambda: Cutout(size=-8),
    lambda: RandomErasing(probability=2),
    lambda: RandomErasing(area=(0.4, 0.02)),
    lambda: RandomErasing(area=(0.0, 0.4)),
    lambda: RandomErasing(area=(0.5, 1.5)),
    lambda: RandomErasing(aspect=(-1, 1)),
]


@pytest.mark.parametrize("build", WITHOUT_EFFECT)
def test_settings_without_effect_are_refused(build: Callable[[], Augmentation]) -> None:
    with pytest.raises(ConfigError, match=r"has no effect(.|\n)*expected:(.|\n)*fix:"):
        build()


@pytest.mark.parametrize("build", IMPOSSIBLE)
def test_impossible_settings_are_refused(build: Callable[[], Augmentation]) -> None:
    with pytest.raises(ConfigError, match=r"expected:(.|\n)*fix:"):
        build()


@pytest.mark.parametrize("large", [Shift(pixels=7), Crop(padding=9), Cutout(size=7)])
def test_sizes_that_do_not_fit_the_images_are_refused_at_the_call(large: Augmentation) -> None:
    images = torch.zeros(2, 1, 9, 7)

    with pytest.raises(ConfigError, match=r"9×7 pixels\n  expected: fewer than 7"):
        large.change_images(images, generator(0))


def test_largest_sizes_that_fit_are_taken() -> None:
    images = torch.rand(2, 1, 9, 7)

    for fill in ("reflect", "nearest", "zero"):
        assert Shift(pixels=6, fill=fill).change_images(images, generator(0)).shape == images.shape
    assert Crop(padding=6).change_images(images, generator(0)).shape == images.shape
    assert Cutout(size=6).change_images(images, generator(0)).shape == images.shape


def test_a_percentage_is_answered_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="not a percentage"):
        Flip(probability=50)
