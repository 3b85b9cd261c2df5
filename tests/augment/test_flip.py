"""Flip and vertical flip."""

import torch

from rungwise.augment import Flip, VerticalFlip
from rungwise.augment.flip import flip_where
from rungwise.randomness import generator


def test_only_the_chosen_images_are_mirrored() -> None:
    images = torch.tensor([[0.1, 0.2], [0.3, 0.4]]).expand(2, 1, 2, 2)
    chosen = torch.tensor([True, False])

    left_right = flip_where(images, chosen, axis=-1)
    top_bottom = flip_where(images, chosen, axis=-2)

    assert torch.equal(left_right[0, 0], torch.tensor([[0.2, 0.1], [0.4, 0.3]]))
    assert torch.equal(top_bottom[0, 0], torch.tensor([[0.3, 0.4], [0.1, 0.2]]))
    assert torch.equal(left_right[1], images[1])
    assert torch.equal(top_bottom[1], images[1])


def test_probability_is_the_share_of_mirrored_images() -> None:
    images = torch.tensor([[0.0, 1.0], [0.5, 0.5]]).expand(4000, 1, 2, 2)

    mirrored = Flip(probability=0.25).change_images(images, generator(0))
    turned = VerticalFlip(probability=0.75).change_images(images, generator(0))

    assert abs((mirrored[:, 0, 0, 0] == 1).float().mean() - 0.25) < 0.03
    assert abs((turned[:, 0, 0, 0] == 0.5).float().mean() - 0.75) < 0.03
