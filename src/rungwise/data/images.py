"""Labelled images, which are views of one array of pixels, and a data set made of them."""

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from rungwise.data.names import Names, Numbered
from rungwise.errors import DataError

BadFiles = Literal["stop", "skip"]
"""What an image file that cannot be read does: end the loading, or be left out."""

CHUNK_BYTES = 2**22
"""About how many bytes of pixels are gathered at once where all images are walked through."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one size with their labels: some rows of an array that others may share.

    Nothing is copied until images are asked for: `take` makes another view, and `gather` and
    `batches` copy no more than a batch. So the array may be a mapped file larger than the memory.

    Args:
        pixels: (M, H, W, C) uint8, 0..255; C is 1 for grey, 3 for colour, or any other number.
        labels: (N,) int64, each an index into `class_names`.
        class_names: The K classes, in the order of their labels.
        rows: (N,) int64, where each image stands in `pixels`; None for all M of them in order.
        mirrored: (N,) bool, which images are seen mirrored left-right; None for none of them.
        names: What the N images are called; they do not count for the fingerprint.
        known_identities: (N,) int64, the identities of the images where they are not those of their
            pixels: of the same images at another size.

    Raises:
        DataError: The shapes, types or labels do not belong together.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]
    rows: torch.Tensor | None = None
    mirrored: torch.Tensor | None = None
    names: Names | None = None
    known_identities: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.dim() != 4:
            raise DataError(
                f"images are {self.pixels.dtype} of shape {tuple(self.pixels.shape)}",
                expected="uint8 of shape (N, H, W, C)",
                fix="scale the pixels to 0..255 and add a channel axis of 1 to grey images",
            )
        count = len(self.pixels) if self.rows is None else len(self.rows)
        if self.labels.dtype != torch.int64 or self.labels.shape != (count,):
            raise DataError(
                f"labels are {self.labels.dtype} of shape {tuple(self.labels.shape)} "
                f"for {count} images",
                expected=f"int64 of shape ({count},): one label for each image",
                fix="check that the files of images and of labels belong together",
            )
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < self.classes:
            raise DataError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}",
                expected=f"0 to {self.classes - 1}, for {self.classes} classes",
                fix="number the classes from 0, or name all of them",
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, height, width, channels = self.pixels.shape
        return channels, height, width

    @property
    def images(self) -> torch.Tensor:
        """(N, H, W, C) uint8: all images, a copy unless this is the whole array. For small sets."""
        return self.pixels if self._is_whole else self.gather(torch.arange(len(self), device="cpu"))

    @property
    def _is_whole(self) -> bool:
        return self.rows is None and self.mirrored is None

    def gather(self, indices: torch.Tensor) -> torch.Tensor:
        """Return a copy of the images at `indices`, in that order.

        Args:
            indices: (B,) int64, 0 to N - 1.

        Returns:
            (B, H, W, C) uint8, where `pixels` is.
        """
        indices = indices.to(self.labels.device)
        images = self.pixels.index_select(0, self.rows_at(indices).to(self.pixels.device))
        if self.mirrored is not None:
            seen_mirrored = self.mirrored[indices].to(images.device)
            images[seen_mirrored] = images[seen_mirrored].flip(2)
        return images

    def rows_at(self, indices: torch.Tensor) -> torch.Tensor:
        """Return where in `pixels` the images at `indices` stand."""
        return indices if self.rows is None else self.rows[indices]

    def first(self, count: int) -> torch.Tensor:
        """Return a copy of the first images: (B, H, W, C) uint8, B at most `count`."""
        return self.gather(torch.arange(min(count, len(self)), device="cpu"))

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield all images in order, `size` at a time, as (B, H, W, C) uint8 and (B,) int64."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            whole = self._is_whole
            images = (
                self.pixels[start:stop]
                if whole
                else self.gather(torch.arange(start, stop, device="cpu"))
            )
            yield images, self.labels[start:stop]

    def chunks(self) -> Iterator[torch.Tensor]:
        """Yield all images in order, some megabytes at a time, as (B, H, W, C) uint8."""
        image_bytes = max(1, self.pixels[:1].numel())
        return (images for images, _ in self.batches(max(1, CHUNK_BYTES // image_bytes)))

    def take(self, indices: torch.Tensor) -> "LabelledImages":
        """Return the images at `indices`, in that order, as a view: no pixel is copied."""
        return LabelledImages(
            self.pixels,
            self.labels[indices],
            self.class_names,
            rows=self.rows_at(indices),
            mirrored=None if self.mirrored is None else self.mirrored[indices],
            names=None if self.names is None else self.names.take(indices.cpu()),
            known_identities=None
            if self.known_identities is None
            else self.known_identities[indices.cpu().numpy()],
        )

    def name_of(self, index: int) -> str:
        """Return what the image at `index` is called, as it can be printed.

        Its file, relative to the data set's folder, or a place in the whole part that was loaded,
        such as `train[17]`; `[17]` for images that were never part of a data set.
        """
        return f"[{index}]" if self.names is None else self.names[index]

    def among(self, class_names: tuple[str, ...]) -> "LabelledImages":
        """Return the same images as images of some of these classes, which their own are among."""
        places = torch.tensor(
            [class_names.index(name) for name in self.class_names],
            dtype=torch.int64,
            device=self.labels.device,
        )
        return replace(self, labels=places[self.labels], class_names=class_names)

    def called(self, names: Names) -> "LabelledImages":
        """Return the same images under other names."""
        named = copy.copy(self)
        object.__setattr__(named, "names", names)
        return named

    def on(self, device: torch.device) -> "LabelledImages":
        """Return the images as an array on `device`; what does not fit there is left as it is.

        A processor sees the array where it is. A GPU is given a copy of the N images, if they take
        no more than half of its free memory.
        """
        if device.type != "cuda" or self.pixels.device.type == "cuda":
            return self
        needed = len(self) * self.pixels[:1].numel()
        if needed > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        pixels = torch.empty(len(self), *self.pixels.shape[1:], dtype=torch.uint8, device=device)
        filled = 0
        for chunk in self.chunks():
            pixels[filled : filled + len(chunk)] = chunk.to(device)
            filled += len(chunk)
        return LabelledImages(pixels, self.labels.to(device), self.class_names, names=self.names)

    def known_as(self, fingerprint: str) -> "LabelledImages":
        """Return the same images with a fingerprint that was computed before."""
        known = replace(self)
        known.__dict__["fingerprint"] = fingerprint  # where a cached property keeps its value
        return known

    @cached_property
    def is_grey(self) -> bool:
        """Whether all channels of every pixel are alike: grey, however many channels hold it."""
        return all(bool((chunk[..., 1:] == chunk[..., :1]).all()) for chunk in self.chunks())

    def class_counts(self) -> list[int]:
        """Return the number of images of each class."""
        return torch.bincount(self.labels, minlength=self.classes).tolist()

    @cached_property
    def identities(self) -> npt.NDArray[np.int64]:
        """(N,) int64: a number for each image, the same wherever the same pixels stand."""
        if self.known_identities is not None:
            return self.known_identities
        digests = b"".join(
            hashlib.blake2b(row, digest_size=8).digest()
            for chunk in self.chunks()
            for row in chunk.flatten(1).contiguous().numpy()
        )
        return np.frombuffer(digests, np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, pixels, labels and class names."""
        shape = (len(self), *self.pixels.shape[1:])
        digest = hashlib.sha256(repr((shape, self.class_names)).encode())
        for chunk in self.chunks():
            digest.update(chunk.contiguous().numpy().data)
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
        bad_files: Whether image files that cannot be read were left out.
        test_share: The share of the source's images that was set aside as the test part; None where
            the source itself brings one, or there is none.
        notes: What a user has to know of the loading: files that were left out, images that were
            enlarged.
    """

    name: str
    train: LabelledImages
    test: LabelledImages | None = None
    validation: LabelledImages | None = None
    per_class: int | None = None
    image_size: tuple[int, int] | None = None
    bad_files: BadFiles = "stop"
    notes: tuple[str, ...] = ()
    test_share: float | None = None

    @property
    def parts(self) -> dict[str, LabelledImages]:
        """The parts that the set has, by name: train, validation, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}

    def named(self) -> "Dataset":
        """Return the same set; images without names are called by their places: `train[17]`."""
        parts = {
            part: images if images.names else images.called(Names(Numbered(part)))
            for part, images in self.parts.items()
        }
        return replace(
            self,
            train=parts["train"],
            test=parts.get("test"),
            validation=parts.get("validation"),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the content of all parts and the size of the subset."""
        ordered = (self.train, self.validation, self.test)
        parts = [part.fingerprint if part else "" for part in ordered]
        return hashlib.sha256(repr((parts, self.per_class)).encode()).hexdigest()
