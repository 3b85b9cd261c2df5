"""Trivial augment: each change against Pillow or by hand, and the lottery among them."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from rungwise.augment import TrivialAugment
from rungwise.augment import trivial_augment as changes
from rungwise.errors import ConfigError
from rungwise.randomness import generator

STRENGTHS = torch.tensor([-1.0, -0.5, -0.1, 0.0, 0.2, 0.6, 1.0])
LEVEL = 1 / 255


def photos(channels: int = 3, side: int = 12) -> torch.Tensor:
    levels = torch.randint(20, 230, (len(STRENGTHS), channels, side, side), generator=generator(1))
    return levels / 255


def pillow(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy())


def back(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


@pytest.mark.parametrize(
    ("change", "enhancer"),
    [
        (changes.brighten, ImageEnhance.Brightness),
        (changes.change_colour, ImageEnhance.Color),
        (changes.sharpen, ImageEnhance.Sharpness),
    ],
)
def test_factors_do_what_pillow_does(change: changes.Change, enhancer: type) -> None:
    images = photos()

    changed = change(images, STRENGTHS)

    for image, strength, found in zip(images, STRENGTHS.tolist(), changed, strict=True):
        expected = enhancer(pillow(image)).enhance(1 + 0.99 * strength)
        torch.testing.assert_close(found, back(expected), atol=2.1 * LEVEL, rtol=0)


def test_posterize_keeps_the_highest_bits_as_pillow_does() -> None:
    images = photos()
    bits = [2, 5, 7, 8, 7, 4, 2]

    changed = changes.posterize(images, STRENGTHS)

    for image, kept, found in zip(images, bits, changed, strict=True):
        torch.testing.assert_close(found, back(ImageOps.posterize(pillow(image), kept)))


def test_solarize_turns_what_is_above_the_threshold_to_its_negative() -> None:
    images = photos()

    changed = changes.solarize(images, STRENGTHS)

    for image, strength, found in zip(images, STRENGTHS.tolist(), changed, strict=True):
        threshold = 255 * (1 - abs(strength))
        torch.testing.assert_close(found, back(ImageOps.solarize(pillow(image), threshold)))


def test_contrast_is_stretched_as_pillow_does_it() -> None:
    images = photos()

    changed = changes.stretch_contrast(images, STRENGTHS)

    for image, found in zip(images, changed, strict=True):
        expected = back(ImageOps.autocontrast(pillow(image)))
        torch.testing.assert_close(found, expected, atol=1.1 * LEVEL, rtol=0)


def test_equalized_levels_are_ranks() -> None:
    image = torch.tensor([[10, 10, 20, 20], [30, 30, 40, 40]]).view(1, 1, 2, 4) / 255

    changed = changes.equalize(image, torch.ones(1))

    expected = torch.tensor([[0, 0, 1 / 3, 1 / 3], [2 / 3, 2 / 3, 1, 1]]).view(1, 1, 2, 4)
    torch.testing.assert_close(changed, expected)


@pytest.mark.parametrize("change", [changes.stretch_contrast, changes.equalize])
def test_an_image_of_one_level_stays(change: changes.Change) -> None:
    image = torch.full((1, 3, 5, 5), 0.4)
    torch.testing.assert_close(change(image, torch.ones(1)), image)


def test_whole_pixels_are_moved_along_their_own_axis() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4) / 16
    quarter = torch.tensor([0.25])

    right, down = changes.move_right(image, quarter), changes.move_down(image, quarter)

    torch.testing.assert_close(right[..., :3], image[..., 1:])
    torch.testing.assert_close(down[..., :3, :], image[..., 1:, :])


def test_slants_are_each_others_transposes() -> None:
    images = photos()

    rows = changes.slant_rows(images, STRENGTHS)

    torch.testing.assert_close(
        rows.transpose(2, 3), changes.slant(images.transpose(2, 3), STRENGTHS)
    )
    assert not torch.allclose(rows, changes.slant(images, STRENGTHS), atol=0.1)


def test_a_quarter_turn_turns_a_quarter() -> None:
    images = photos()[:1]
    turned = changes.turn(images, torch.tensor([90 / 135]))
    torch.testing.assert_close(turned, images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_change_is_drawn_and_some_images_stay(channels: int) -> None:
    image = photos(channels)[:1]
    many = image.expand(600, -1, -1, -1)

    changed = TrivialAugment().change_images(many, generator(0))

    kinds = len(changes.CHANGES if channels == 3 else changes.GREY_CHANGES) + 1
    stayed = (changed == many).flatten(1).all(1).float().mean().item()
    assert 0.5 / kinds < stayed < 2.5 / kinds
    assert len(changed.unique(dim=0)) > 300


def test_less_strength_changes_less() -> None:
    images = photos().repeat(50, 1, 1, 1)
    weak, full = (
        (TrivialAugment(strength=strength).change_images(images, generator(0)) - images).abs()
        for strength in (0.1, 1.0)
    )
    assert weak.mean() < 0.6 * full.mean()


@pytest.mark.parametrize("strength", [0, -1, 1.5])
def test_impossible_strengths_are_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="trivial-augment"):
        TrivialAugment(strength=strength)
