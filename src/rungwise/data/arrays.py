"""Images that are arrays already: from NumPy to a data set, with the same checks wherever from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from rungwise.data.decoded import as_tensor
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.names import natural_key
from rungwise.data.problems import listed
from rungwise.errors import DataError

Array = NDArray[Any]
Pair = tuple[ArrayLike, ArrayLike]


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    validation: Pair | None = None,
    test: Pair | None = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> Dataset:
    """Make a data set of NumPy arrays; the pixels are not copied.

    Args:
        images: uint8, 0..255, (N, H, W) for grey or (N, H, W, C): what is trained on.
        labels: (N,) or (N, 1): whole numbers from 0, or text.
        validation: Images and labels to validate with, in the same form.
        test: Images and labels that are kept for the end, in the same form.
        class_names: The K classes. By default, the numbers up to the largest training label, or
            the texts among the training labels, in natural order.
        name: What the data set is called.

    Raises:
        DataError: An array is of the wrong type or shape, a label is no class, or a class has no
            training image.

    >>> import numpy as np
    >>> digits = from_arrays(np.zeros((2, 8, 8), np.uint8), ["cat", "dog"])
    >>> digits.train.shape, digits.train.class_names, digits.train.name_of(1)
    ((1, 8, 8), ('cat', 'dog'), 'train[1]')
    """
    pairs = {"train": (images, labels), "validation": validation, "test": test}
    arrays = {
        part: (np.asarray(pair[0]), np.asarray(pair[1])) for part, pair in pairs.items() if pair
    }
    told = {part: (f"{name}: images of {part}", f"{name}: labels of {part}") for part in arrays}
    names = None if class_names is None else np.array(list(class_names))
    return dataset_of(arrays, names, name, told).named()


def dataset_of(
    arrays: dict[str, tuple[Array, Array]],
    class_names: Array | None,
    name: str,
    told: dict[str, tuple[str, str]],
) -> Dataset:
    """Make a data set of images and labels by part.

    Args:
        arrays: Images and labels of `train` and maybe of `validation` and `test`.
        class_names: (K,) text, or None, as for `from_arrays`.
        name: What the data set and messages about all of it are called.
        told: What messages call the images and labels of each part.

    Raises:
        DataError: As `from_arrays`.
    """
    labels = {part: _flat(pair[1], told[part][1]) for part, pair in arrays.items()}
    if len({flat.dtype.kind == "U" for flat in labels.values()}) > 1:
        raise DataError(
            f"{name} has labels in text and in numbers",
            expected="one of the two in all parts",
            fix="convert the labels of one part",
        )
    names = _class_names(class_names, labels["train"], name)
    parts = {
        part: LabelledImages(
            _images(pair[0], told[part][0]), _numbers(labels[part], names, told[part][1]), names
        )
        for part, pair in arrays.items()
    }
    _require_every_class(parts["train"], name)
    _require_one_shape(parts, name)
    return Dataset(name, parts["train"], parts.get("test"), parts.get("validation"))


def _images(array: Array, told: str) -> torch.Tensor:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(
            f"{told} is {array.dtype} of shape {array.shape}",
            expected="uint8, 0..255, of shape (N, H, W) or (N, H, W, C), with at least one image",
            fix="scale to 0..255, round, and convert with .astype('uint8')",
        )
    images = as_tensor(array.copy() if min(array.strides) < 0 else array)
    return images.unsqueeze(-1) if array.ndim == 3 else images


def _flat(array: Array, told: str) -> Array:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.dtype.kind == "O" and all(isinstance(label, str) for label in flat.flat):
        flat = flat.astype(np.str_)  # as pandas holds text
    if flat.dtype.kind not in "iuU" or flat.ndim != 1 or not len(flat):
        raise DataError(
            f"{told} is {array.dtype} of shape {array.shape}",
            expected="whole numbers or text of shape (N,), at least one",
            fix="number the classes from 0; turn one-hot rows into numbers with .argmax(1)",
        )
    return flat


def _class_names(array: Array | None, labels: Array, name: str) -> tuple[str, ...]:
    if array is None and labels.dtype.kind == "U":
        return tuple(sorted(np.unique(labels).tolist(), key=natural_key))
    if array is None:
        # A stray label such as 10**9 must not make a billion class names.
        return tuple(map(str, range(min(int(labels.max()) + 1, len(labels)))))
    names = tuple(map(str, array.tolist())) if array.ndim == 1 else ()
    if array.dtype.kind != "U" or not names or len(set(names)) < len(names):
        raise DataError(
            f"{name}: class_names is {array.dtype} of shape {array.shape}",
            expected="an array of different strings, one for each class",
            fix="save numpy.array(['first class', 'second class', …])",
        )
    return names


def _numbers(labels: Array, names: tuple[str, ...], told: str) -> torch.Tensor:
    """Return labels as indices into the classes."""
    if labels.dtype.kind != "U":
        return torch.from_numpy(labels.astype(np.int64))
    number = {name: label for label, name in enumerate(names)}
    texts, where = np.unique(labels, return_inverse=True)
    if unknown := [text for text in texts.tolist() if text not in number]:
        raise DataError(
            f"{told} has {len(unknown)} labels that are no class: {listed(unknown)}",
            expected=f"the classes of training: {listed(names)}",
            fix="correct these labels, or add images of these classes to train",
        )
    return torch.from_numpy(np.array([number[text] for text in texts.tolist()])[where])


def _require_every_class(train: LabelledImages, name: str) -> None:
    pairs = zip(train.class_names, train.class_counts(), strict=True)
    empty = [class_name for class_name, count in pairs if not count]
    if empty:
        raise DataError(
            f"{name} has no training image of {len(empty)} classes: {listed(empty)}",
            expected="at least one training image of each class",
            fix="number the classes from 0 without gaps, or take the names out of class_names",
        )


def _require_one_shape(parts: dict[str, LabelledImages], name: str) -> None:
    shapes = {part: tuple(images.pixels.shape[1:]) for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"{name} has images of different shapes: {shapes}",
            expected="one shape (H, W, C) in all parts",
            fix="resize the images, or give all of them the same number of channels",
        )
