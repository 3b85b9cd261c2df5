"""Mirrored copies."""

import torch

from rungwise.augment import MirroredCopies
from rungwise.data.images import LabelledImages


def test_set_is_followed_by_its_mirror_images() -> None:
    pixels = torch.arange(12, dtype=torch.uint8).view(2, 1, 3, 2)  # (N, H, W, C)
    data = LabelledImages(pixels, torch.tensor([1, 0]), ("cat", "dog"))

    enlarged = MirroredCopies().enlarge(data)

    assert len(enlarged) == 4
    assert torch.equal(enlarged.images[:2], pixels)
    assert enlarged.images[2].tolist() == [[[4, 5], [2, 3], [0, 1]]]
    assert enlarged.images[3].tolist() == [[[10, 11], [8, 9], [6, 7]]]
    assert enlarged.labels.tolist() == [1, 0, 1, 0]
    assert enlarged.class_names == ("cat", "dog")
    assert torch.equal(pixels, torch.arange(12, dtype=torch.uint8).view(2, 1, 3, 2))
