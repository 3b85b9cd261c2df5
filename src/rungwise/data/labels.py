"""From labels of any type to numbers of classes: numbers, texts, truth values, one-hot rows."""

from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.names import class_name, look_alikes, natural_key
from rungwise.data.problems import EXAMPLES, Problem, listed
from rungwise.errors import ArrayError

Array = NDArray[Any]

_KINDS = {"i": "whole numbers", "U": "text", "b": "truth values"}


def plain_labels(labels: Any, count: int, what: str) -> tuple[Array, str | None]:
    """Return labels as (N,) int64, text or truth values, and how they were understood.

    Args:
        labels: (N,), (N, 1), (1, N), or one-hot rows (N, K); numbers, texts, bytes, truth values.
        count: N, the number of images.
        what: What messages call them.

    Raises:
        ArrayError: Labels are missing, or they are no classes, one for each image.

    Texts become what their classes are called: blanks at the ends do not count, and all Unicode
    forms of a name are one.
    """
    array = label_array(labels)
    require_present(array, what)
    note = None
    if array.ndim == 2 and (array.shape[1] == 1 or array.shape == (1, count)):
        array = array.ravel()
    elif array.ndim == 2 and array.size:
        require_one_hot(array, what)
        note = f"{what} is one-hot of shape {array.shape}, taken for the columns that hold the 1"
        array = array.argmax(1)
    if array.ndim != 1 or not len(array):
        raise _unusable(array, what)
    kind: str = array.dtype.kind
    if kind == "O":
        array, kind = _of_one_kind(array, what)
    if kind == "S":
        array, kind = np.char.decode(array, "utf-8", "backslashreplace"), "U"
    if kind == "f":
        note = f"{what} is {array.dtype}, taken for whole numbers"
        array, kind = _whole(array, what), "i"
    if kind not in "iubU":
        raise _unusable(array, what)
    if kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise ArrayError(
            f"{what} holds {array.max()}, which is above {np.iinfo(np.int64).max}",
            expected="whole numbers of 64 bits with a sign, or text",
            fix="convert them to text: labels.astype(str)",
        )
    if kind == "U":
        array, were_joined = _called(array)
        require_present(array, what)
        if were_joined:
            note = (
                f"{what} are texts that differ in blanks at their ends or in their Unicode form "
                "alone: they are one class"
            )
    return (array.astype(np.int64) if kind in "iu" else array), note


def look_alike_classes(source: Path | str, class_names: tuple[str, ...]) -> Iterator[Problem]:
    """Yield the problem that some classes look like one another."""
    if alike := look_alikes(class_names):
        told = [" and ".join(map(repr, group)) for group in alike]
        yield Problem(
            severity="error",
            kind="look_alike_classes",
            problem=f"{source} has classes whose names look alike: {listed(told)}",
            expected="names that differ in more than case, blanks or the form of a letter",
            fix="join these classes, or rename them",
            count=len(told),
            examples=tuple(told[:EXAMPLES]),
        )


def label_array(labels: Any) -> Array:
    """Return labels as an array, in which what is missing can still be seen."""
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu().numpy()
    if np.ma.is_masked(labels):
        masked, labels = np.ma.getmaskarray(labels), np.ma.getdata(labels).astype(object)
        labels[masked] = None
    try:
        array = np.asarray(labels)
    except ValueError:  # rows of different lengths
        return np.array([*labels, None], dtype=object)[:-1]
    if array.dtype.kind in "US" and not isinstance(labels, np.ndarray):
        return np.asarray(labels, dtype=object)  # NumPy would make the text nan of a NaN
    return array


def require_present(array: Array, what: str) -> None:
    """Refuse missing labels.

    Raises:
        ArrayError: There are some: None, NaN, pandas' NA, or empty texts.
    """
    if array.dtype.kind == "f":
        missing = np.isnan(array)
    elif array.dtype.kind == "U":
        missing = array == ""
    elif array.dtype.kind == "O":
        missing = np.array([_is_missing(label) for label in array.flat]).reshape(array.shape)
    else:
        return
    if missing.any():
        first = int(np.argwhere(missing)[0][0])
        raise ArrayError(
            f"{what}: {np.count_nonzero(missing)} labels of {array.size} are missing, the first "
            f"one is that of image {first}",
            expected="a label for every image; None, NaN, NA and empty text are no classes",
            fix="leave these images out, or label them",
        )


def require_one_hot(array: Array, what: str) -> None:
    """Refuse rows of which not exactly one value is 1, and the others 0.

    Raises:
        ArrayError: There are some.
    """
    if array.dtype.kind not in "biuf":
        raise _unusable(array, what)
    binary = ((array == 0) | (array == 1)).all(1)
    wrong = ~binary | (array.sum(1, dtype=np.float64) != 1)
    if wrong.any():
        first = int(wrong.argmax())
        raise ArrayError(
            f"{what} is of shape {array.shape}, and {np.count_nonzero(wrong)} rows are not "
            f"one-hot: row {first} is {listed(map(str, array[first].tolist()))}",
            expected="one class for each image: a row with a single 1, or labels of shape (N,)",
            fix="choose one class for each image, for example with .argmax(1)",
        )


def require_same_kind(labels: Mapping[str, Array], name: str) -> None:
    """Refuse parts whose labels are of different kinds.

    Raises:
        ArrayError: They are.
    """
    kinds = {part: _KINDS[array.dtype.kind] for part, array in labels.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{kind} in {part}" for part, kind in kinds.items())
        raise ArrayError(
            f"{name} has labels of different kinds: {told}",
            expected="labels of one kind in all parts",
            fix="convert the labels of one part",
        )


def classes_among(labels: Array) -> tuple[str, ...]:
    """Return the names of the classes among labels: numbers by size, texts in natural order."""
    names = map(str, np.unique(labels).tolist())
    return tuple(sorted(names, key=natural_key) if labels.dtype.kind == "U" else names)


def given_names(names: Any, most: int, what: str) -> tuple[str, ...]:
    """Return the class names that a user gives: texts or whole numbers, or both by their labels.

    Args:
        names: What is given.
        most: The number of training images, each of which has a class.
        what: What messages call the names.

    Raises:
        ArrayError: They are none, two are alike, or there are more than images.
    """
    if isinstance(names, np.ndarray) and names.size > most:
        raise ArrayError(
            f"{what} holds {names.size:,} names, for {most:,} training images",
            expected="at least one training image of each class",
            fix="leave out the names of classes without images",
        )
    given = names
    if isinstance(names, Set):
        raise ArrayError(
            f"{what} is a set, which has no order",
            expected="a list or a tuple: its first name is that of label 0",
            fix="pass sorted(class_names), if that is their order",
        )
    if isinstance(names, Mapping) and set(names) == set(range(len(names))):
        given = [names[label] for label in range(len(names))]
    plain: list[Any] = []
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        array = label_array(given if isinstance(given, np.ndarray) else list(given))
        plain = array.tolist() if array.ndim == 1 else []
    if all(isinstance(one, bytes) for one in plain):
        plain = [one.decode(errors="backslashreplace") for one in plain]
    if not plain or not all(_is_name(one) for one in plain) or len(set(plain)) < len(plain):
        shown = f"{names.dtype} of shape {names.shape}" if hasattr(names, "dtype") else repr(names)
        raise ArrayError(
            f"{what} is {shown[:200]}",
            expected="different texts, one for each class",
            fix="pass or save numpy.array(['first class', 'second class', …])",
        )
    return tuple(class_name(str(one).strip()) for one in plain)


def class_numbers(labels: Array, names: tuple[str, ...], what: str) -> torch.Tensor:
    """Return labels as indices into the classes that their texts name: (N,) int64.

    Raises:
        ArrayError: A label is no class.
    """
    number = {name: label for label, name in enumerate(names)}
    values = np.unique(labels)
    if unknown := [text for text in map(str, values.tolist()) if text not in number]:
        raise ArrayError(
            f"{what} has {len(unknown)} labels that are no class: {listed(unknown)}",
            expected=f"the classes of training: {listed(names)}",
            fix="correct these labels, or add images of these classes to train",
        )
    numbers = np.array([number[text] for text in map(str, values.tolist())])
    return torch.from_numpy(numbers[np.searchsorted(values, labels)])


def _called(labels: Array) -> tuple[Array, bool]:
    """Return texts as their classes are called, and whether that joined any."""
    values, places = np.unique(labels, return_inverse=True)
    names = np.array([class_name(value.strip()) for value in values.tolist()])
    return names[places], len(set(names.tolist())) < len(values)


def _is_missing(label: Any) -> bool:
    if label is None or type(label).__name__ in ("NAType", "NaTType"):  # pandas need not be here
        return True
    if isinstance(label, str | bytes):
        return not label
    return isinstance(label, float | np.floating) and bool(np.isnan(label))


def _of_one_kind(array: Array, what: str) -> tuple[Array, str]:
    """Return labels that came as Python's objects, which is how pandas holds text, as an array."""
    kinds = {type(label.item() if isinstance(label, np.generic) else label) for label in array}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {str, bytes, bool}):
        plain = np.array(array.tolist())
        if plain.dtype.kind != "O":
            return plain, plain.dtype.kind
    raise ArrayError(
        f"{what} holds values of type {', '.join(sorted(kind.__name__ for kind in kinds))}",
        expected="whole numbers, or text, for all images",
        fix="convert them, for example with .astype(str)",
    )


def _whole(array: Array, what: str) -> Array:
    strange = ~np.isfinite(array) | (array % 1 != 0) | (abs(array) >= 2**53)
    if strange.any():
        first = int(strange.argmax())
        raise ArrayError(
            f"{what}: {np.count_nonzero(strange)} labels are no whole numbers: "
            f"that of image {first} is {array[first]:g}",
            expected="classes: whole numbers or text; measurements cannot be learnt",
            fix="divide the measurements into classes, for example with numpy.digitize",
        )
    return array.astype(np.int64)


def _is_name(one: Any) -> bool:
    return isinstance(one, str) or (isinstance(one, int) and not isinstance(one, bool))


def _unusable(array: Array, what: str) -> ArrayError:
    return ArrayError(
        f"{what} is {array.dtype} of shape {array.shape}",
        expected="whole numbers or text of shape (N,), or one-hot rows (N, K), at least one",
        fix="pass one label for each image",
    )
