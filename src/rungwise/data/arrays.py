"""Images that are arrays already: from NumPy to a data set, with the same checks wherever from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rungwise.data.decoded import as_tensor
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.labels import (
    Array,
    class_numbers,
    classes_among,
    given_names,
    look_alike_classes,
    plain_labels,
    require_same_kind,
)
from rungwise.data.pixels import Keep, Levels, arranged, as_array
from rungwise.data.problems import listed
from rungwise.errors import ArrayError

Pair = tuple[Any, Any]


def from_arrays(
    images: Any,
    labels: Any,
    *,
    validation: Pair | None = None,
    test: Pair | None = None,
    class_names: Sequence[str] | Mapping[int, str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    value_range: tuple[float, float] | None = None,
    name: str = "arrays",
) -> Dataset:
    """Make a data set of NumPy arrays; uint8 images (N, H, W, C) are not copied.

    Images of other types become 256 levels: 0..1 and 0..255 are taken for just that, of any other
    range the least and the greatest training value are black and white. What was taken for granted
    stands in `notes`.

    Args:
        images: Numbers of shape (N, H, W) for grey, (N, H, W, C), (N, C, H, W), or flat rows
            (N, H·W) of square grey images: what is trained on.
        labels: (N,) or (N, 1): whole numbers, texts or truth values; or one-hot rows (N, K).
        validation: Images and labels to validate with, in the same form.
        test: Images and labels that are kept for the end, in the same form.
        class_names: The K classes that labels 0 to K - 1 are, or that the texts name. By default
            the classes are the training labels, numbers by size and texts in natural order.
        image_shape: (H, W) or (H, W, C), where that cannot be seen.
        value_range: Values of black and white, where those cannot be seen.
        name: What the data set is called.

    Raises:
        DataError: An array is of the wrong type or shape, or may be understood in two ways; labels
            are missing or no class; or a class has no training image.
        UsageError: `image_shape` or `value_range` is none.

    >>> import numpy as np
    >>> digits = from_arrays(np.zeros((2, 8, 8), np.uint8), ["cat", "dog"])
    >>> digits.train.shape, digits.train.class_names, digits.train.name_of(1)
    ((1, 8, 8), ('cat', 'dog'), 'train[1]')
    """
    if not isinstance(name, str):
        raise ArrayError(f"name is {name!r}", expected="a text", fix='pass for example name="own"')
    pairs = {"train": (images, labels), "validation": validation, "test": test}
    arrays = {part: _pair(pair, part) for part, pair in pairs.items() if pair is not None}
    told = {part: (f"{name}: images of {part}", f"{name}: labels of {part}") for part in arrays}
    return dataset_of(
        arrays, class_names, name, told, image_shape=image_shape, value_range=value_range
    ).named()


def _pair(given: Any, part: str) -> Pair:
    is_row = isinstance(given, tuple | list)
    if is_row and len(given) == 2:
        return given[0], given[1]
    found = f"holds {len(given)}" if is_row else f"is {type(given).__name__}"
    raise ArrayError(
        f"{part} {found}",
        expected="two arrays: images and their labels",
        fix=f"pass {part}=(images, labels)",
    )


def dataset_of(
    arrays: Mapping[str, Pair],
    class_names: Any,
    name: str,
    told: Mapping[str, tuple[str, str]],
    *,
    image_shape: Any = None,
    value_range: Any = None,
    keep: Keep | None = None,
) -> Dataset:
    """Make a data set of images and labels by part.

    Args:
        arrays: Images and labels of `train` and maybe of `validation` and `test`.
        class_names: As for `from_arrays`.
        name: What the data set and messages about all of it are called.
        told: What messages call the images and labels of each part.
        image_shape: As for `from_arrays`.
        value_range: As for `from_arrays`.
        keep: Puts converted pixels together, in memory by default.

    Raises:
        DataError, UsageError: As `from_arrays`.
    """
    notes: list[str | None] = []
    images: dict[str, Array] = {}
    labels: dict[str, Array] = {}
    for part, (given, marked) in arrays.items():
        images[part], note = arranged(as_array(given, told[part][0]), image_shape, told[part][0])
        labels[part], label_note = plain_labels(marked, len(images[part]), told[part][1])
        _require_one_each(images[part], labels[part], told[part])
        notes += [note, label_note]
    require_same_kind(labels, name)
    _require_one_shape(images, name)
    levels = Levels.of(images["train"], value_range, told["train"][0])
    for part, values in images.items():
        levels.require_scale(values, told[part][0])
    if not levels.takes_as_is(images["train"]):
        notes.append(
            f"{told['train'][0]} is {images['train'].dtype}: {levels.low:g} is taken for black, "
            f"{levels.high:g} for white"
        )
    names, note = _names(class_names, labels["train"], name)
    for problem in look_alike_classes(name, names):
        raise ArrayError(problem.problem, expected=problem.expected, fix=problem.fix)
    parts = {}
    for part, values in images.items():
        numbers = _numbers(labels[part], names, told[part][1], named=class_names is not None)
        parts[part] = LabelledImages(as_tensor(levels.pixels(values, keep)), numbers, names)
    _require_every_class(parts["train"], name)
    dataset = Dataset(name, parts["train"], parts.get("test"), parts.get("validation"))
    return replace(dataset, notes=tuple(filter(None, [*notes, note])))


def _names(given: Any, train: Array, name: str) -> tuple[tuple[str, ...], str | None]:
    """Return the classes, and a note where they are numbers that do not run from 0."""
    if given is not None:
        return given_names(given, len(train), f"{name}: class_names"), None
    names = classes_among(train)
    if train.dtype.kind != "i" or names == tuple(map(str, range(len(names)))):
        return names, None
    return names, f"{name} has labels that do not run from 0 without gaps: {listed(names)}"


def _numbers(labels: Array, names: tuple[str, ...], what: str, *, named: bool) -> Any:
    """Return labels as indices: where names were given, numbers are indices already."""
    if not named or labels.dtype.kind == "U":
        return class_numbers(labels, names, what)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(names):
        raise ArrayError(
            f"{what}: labels run from {low} to {high}, and there are {len(names)} class names",
            expected=f"0 to {len(names) - 1}",
            fix="number the classes from 0, or name all of them",
        )
    return as_tensor(labels.astype("int64"))


def _require_one_each(images: Array, labels: Array, told: tuple[str, str]) -> None:
    if len(images) == len(labels):
        return
    last = images.shape[2] if images.shape[3] == 1 else images.shape[3]
    moved = "move the axis of the images to the front: numpy.moveaxis(images, -1, 0)"
    raise ArrayError(
        f"{told[0]} holds {len(images)} images, and {told[1]} {len(labels)} labels",
        expected="one label for each image, and images along the first axis",
        fix=moved if last == len(labels) else "check that images and labels belong together",
    )


def _require_every_class(train: LabelledImages, name: str) -> None:
    pairs = zip(train.class_names, train.class_counts(), strict=True)
    empty = [class_name for class_name, count in pairs if not count]
    if empty:
        raise ArrayError(
            f"{name} has no training image of {len(empty)} classes: {listed(empty)}",
            expected="at least one training image of each class",
            fix="take these names out of class_names, or add images",
        )


def _require_one_shape(images: Mapping[str, Array], name: str) -> None:
    shapes = {part: array.shape[1:] for part, array in images.items()}
    if len(set(shapes.values())) > 1:
        raise ArrayError(
            f"{name} has images of different shapes: {shapes}",
            expected="one shape (H, W, C) in all parts",
            fix="resize the images, or give all of them the same number of channels",
        )
