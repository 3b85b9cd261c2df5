"""Labelled images in memory, and a data set made of them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from rungwise.errors import DataError


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one size with their labels.

    Args:
        images: (N, H, W, C) uint8, 0..255; C is 1 for grey, 3 for colour, or any other number.
        labels: (N,) int64, each an index into `class_names`.
        class_names: The K classes, in the order of their labels.

    Raises:
        DataError: The shapes, types or labels do not belong together.
    """

    images: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            raise DataError(
                f"images are {self.images.dtype} of shape {tuple(self.images.shape)}",
                expected="uint8 of shape (N, H, W, C)",
                fix="scale the pixels to 0..255 and add a channel axis of 1 to grey images",
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"labels are {self.labels.dtype} of shape {tuple(self.labels.shape)} "
                f"for {len(self.images)} images",
                expected=f"int64 of shape ({len(self.images)},): one label for each image",
                fix="check that the files of images and of labels belong together",
            )
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < self.classes:
            raise DataError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}",
                expected=f"0 to {self.classes - 1}, for {self.classes} classes",
                fix="number the classes from 0, or name all of them",
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, height, width, channels = self.images.shape
        return channels, height, width

    def take(self, indices: torch.Tensor) -> "LabelledImages":
        """Return the images at `indices`, in that order."""
        return LabelledImages(self.images[indices], self.labels[indices], self.class_names)

    def class_counts(self) -> list[int]:
        """Return the number of images of each class."""
        return torch.bincount(self.labels, minlength=self.classes).tolist()

    @cached_property
    def identities(self) -> npt.NDArray[np.int64]:
        """(N,) int64: a number for each image, the same wherever the same pixels stand."""
        rows = self.images.contiguous().view(len(self), -1).numpy()
        digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
        return np.frombuffer(digests, np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, pixels, labels and class names."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.class_names)).encode())
        digest.update(self.images.contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set: images to train on and, where there are some, images to test on.

    Args:
        name: As the user wrote it, for example `mnist@100`.
        train: The images that may be trained on and validated with.
        test: The images that are kept for the end, if the set has any.
        validation: Only where the source itself brings a validation part.
        per_class: `n` of `NAME@n`: a run draws that many training images of each class.
        image_size: (height, width) where image files were resized to it.
    """

    name: str
    train: LabelledImages
    test: LabelledImages | None = None
    validation: LabelledImages | None = None
    per_class: int | None = None
    image_size: tuple[int, int] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the content of all parts and the size of the subset."""
        parts = [part.fingerprint if part else "" for part in self._parts()]
        return hashlib.sha256(repr((parts, self.per_class)).encode()).hexdigest()

    def _parts(self) -> tuple[LabelledImages | None, ...]:
        return self.train, self.validation, self.test
