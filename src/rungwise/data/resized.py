"""One source of image files, loaded at two sizes: the same images, one by one."""

from dataclasses import replace

import numpy as np
import torch

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.names import FileNames
from rungwise.errors import DataError


def identified_like(dataset: Dataset, other: Dataset) -> Dataset:
    """Return a data set whose images have the identities that they have at another size.

    So predictions at both sizes are paired image by image. That they are the same images, their
    files' names and labels in the same order say, which are those of one listing.

    Args:
        dataset: Image files at one size.
        other: The same files at another size.

    Raises:
        DataError: They are not the same images.
    """
    ours, theirs = dataset.parts, other.parts
    same = ours.keys() == theirs.keys() and all(
        _are_same(ours[part], theirs[part]) for part in ours
    )
    if not same:
        raise DataError(
            f"{dataset.name} holds other images at {_size(dataset)} than at {_size(other)}",
            expected="the same files at both sizes",
            fix="wait until nobody changes the data, then give the command again",
        )
    parts = {
        part: replace(images, known_identities=theirs[part].identities).known_as(images.fingerprint)
        for part, images in ours.items()
    }
    return replace(
        dataset,
        train=parts["train"],
        test=parts.get("test"),
        validation=parts.get("validation"),
    )


def _are_same(ours: LabelledImages, theirs: LabelledImages) -> bool:
    if ours.class_names != theirs.class_names or not torch.equal(ours.labels, theirs.labels):
        return False
    first, second = _files(ours), _files(theirs)
    if first is None or second is None:
        return first is second
    return np.array_equal(first.block, second.block)


def _files(images: LabelledImages) -> FileNames | None:
    return None if images.names is None else images.names.files()


def _size(dataset: Dataset) -> str:
    _, height, width = dataset.train.shape
    return f"{height}x{width}"
