"""Channel shift, brightness and contrast."""

import torch

from rungwise.augment import Brightness, ChannelShift, Contrast
from rungwise.augment.brightness import brighten
from rungwise.augment.channel_shift import shift_channels
from rungwise.augment.contrast import scale_contrast
from rungwise.randomness import generator

IMAGES = torch.tensor([[[[0.2, 0.4]], [[0.6, 0.8]]]]).expand(2, -1, -1, -1)  # (2, 2, 1, 2)


def test_channel_shift_adds_one_number_within_the_images_own_range() -> None:
    shifted = shift_channels(IMAGES, torch.tensor([0.1, -0.3]))

    torch.testing.assert_close(shifted[0].flatten(), torch.tensor([0.3, 0.5, 0.7, 0.8]))
    torch.testing.assert_close(shifted[1].flatten(), torch.tensor([0.2, 0.2, 0.3, 0.5]))


def test_channel_shift_knows_each_images_own_range() -> None:
    dark_and_light = torch.tensor([[0.0, 0.1], [0.9, 1.0]]).view(2, 1, 1, 2)

    shifted = shift_channels(dark_and_light, torch.tensor([0.5, -0.5]))

    torch.testing.assert_close(shifted.flatten(), torch.tensor([0.1, 0.1, 0.9, 0.9]))


def test_brightness_adds_one_number_within_zero_to_one() -> None:
    changed = brighten(IMAGES, torch.tensor([0.3, -0.3]))

    torch.testing.assert_close(changed[0].flatten(), torch.tensor([0.5, 0.7, 0.9, 1.0]))
    torch.testing.assert_close(changed[1].flatten(), torch.tensor([0.0, 0.1, 0.3, 0.5]))


def test_contrast_scales_the_distance_from_the_images_mean() -> None:
    changed = scale_contrast(IMAGES, torch.tensor([0.5, 2.0]))

    torch.testing.assert_close(changed[0].flatten(), torch.tensor([0.35, 0.45, 0.55, 0.65]))
    torch.testing.assert_close(changed[1].flatten(), torch.tensor([0.0, 0.3, 0.7, 1.0]))


def test_draws_reach_both_limits_and_no_further() -> None:
    grey = torch.full((1000, 1, 1, 3), 0.5)
    grey[:, :, :, 1] = 0.0
    grey[:, :, :, 2] = 1.0

    shift = ChannelShift(amount=0.2).change_images(grey, generator(0))[:, 0, 0, 0] - 0.5
    light = Brightness(amount=0.3).change_images(grey, generator(0))[:, 0, 0, 0] - 0.5
    lightest = Contrast(amount=0.4).change_images(grey, generator(0))[:, 0, 0, 2] - 0.5

    assert -0.2 <= shift.min() < -0.19
    assert 0.19 < shift.max() <= 0.2
    assert -0.3 <= light.min() < -0.29
    assert 0.29 < light.max() <= 0.3
    assert 0.3 <= lightest.min() < 0.31  # 0.5 times 1 - 0.4
    assert lightest.max() == 0.5  # clipped to white
