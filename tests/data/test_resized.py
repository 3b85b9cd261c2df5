"""The same files at two sizes: one identity for each image."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.names import FileNames, Names
from rungwise.data.resized import identified_like
from rungwise.errors import DataError


def at_size(side: int, names: tuple[str, ...] = ("a", "b", "c"), last: int = 1) -> Dataset:
    rng = np.random.default_rng(side)
    pixels = torch.from_numpy(rng.integers(0, 255, (3, side, side, 1), dtype=np.uint8))
    labels = torch.tensor([0, 1, last])
    files = Names(FileNames.of(names))
    return Dataset("own", LabelledImages(pixels, labels, ("x", "y"), names=files))


def test_images_keep_their_identities_at_another_size_also_in_a_part_of_them() -> None:
    small, large = at_size(8), at_size(16)

    known = identified_like(large, small)

    some = torch.tensor([2, 0])
    assert known.train.take(some).identities.tolist() == small.train.take(some).identities.tolist()
    assert known.fingerprint == large.fingerprint != small.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        at_size(8, names=("a", "b", "d")),
        at_size(8, last=0),
        replace(at_size(8), test=at_size(8).train),
    ],
)
def test_other_files_labels_or_parts_are_other_images(other: Dataset) -> None:
    with pytest.raises(DataError, match="own holds other images at 16x16 than at 8x8"):
        identified_like(at_size(16), other)
