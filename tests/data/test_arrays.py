"""Arrays become data sets, or it is told what is wrong with them."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from rungwise.data import draw, from_arrays
from rungwise.errors import ArrayError, DataError


class NAType:
    """Stands for pandas' NA, which need not be installed: it answers no comparison."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


IMAGES = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)


def test_numbers_are_labels_and_pixels_are_not_copied() -> None:
    images = IMAGES.copy()
    data = from_arrays(images, [0, 1, 0, 1], test=(IMAGES[:1], [1]), class_names=("cat", "dog"))
    assert (data.name, data.train.shape, data.train.class_names) == (
        "arrays",
        (1, 2, 3),
        ("cat", "dog"),
    )
    assert data.test is not None and data.test.labels.tolist() == [1]
    images[0, 0, 0] = 99
    assert int(data.train.pixels[0, 0, 0, 0]) == 99
    assert len(draw(data, 0.5, seed=0).train) == 2


@pytest.mark.parametrize("kind", [np.str_, object])
def test_texts_are_labels_in_natural_order(kind: Any) -> None:
    labels = np.array(["c10", "c9", "c10", "c1"], kind)
    data = from_arrays(IMAGES, labels, validation=(IMAGES[:2], ["c1", "c10"]))
    assert data.train.class_names == ("c1", "c9", "c10")
    assert data.train.labels.tolist() == [2, 1, 2, 0]
    assert data.validation is not None and data.validation.labels.tolist() == [0, 2]


def test_a_view_that_runs_backwards_is_taken() -> None:
    data = from_arrays(IMAGES[::-1], [0, 1, 0, 1])
    assert data.train.images[0, :, :, 0].tolist() == IMAGES[3].tolist()


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1, 0], {}, "4 images, and arrays: labels of train 3 labels"),
        ([0.0, 1, 0, 0.5], {}, "1 labels are no whole numbers: that of image 3 is 0.5"),
        (["a", "b", None, ""], {}, "2 labels of 4 are missing, the first one is that of image 2"),
        (["a", math.nan, "b", "a"], {}, "1 labels of 4 are missing, .* image 1"),
        (np.array([0, 1, math.nan, 1]), {}, "1 labels of 4 are missing, .* image 2"),
        (np.array([0, 1, NAType(), 1], object), {}, "1 labels of 4 are missing"),
        (np.ma.array([0, 1, 0, 1], mask=[0, 1, 0, 0]), {}, "1 labels of 4 are missing"),
        ([0, "a", 0, 1], {}, "holds values of type int, str"),
        ([[0, 1], [1, 0], [1, 1], [0, 0]], {}, "2 rows are not one-hot: row 2 is 1, 1"),
        ([[0.5, 0.5], [1, 0], [0, 1], [0, 1]], {}, "1 rows are not one-hot: row 0 is 0.5, 0.5"),
        ([[0], [0, 1], [0], [1]], {}, "labels of train holds values of type list"),
        (list("abab"), {"test": (IMAGES, list("abca"))}, "1 labels that are no class: c"),
        (list("abab"), {"test": (IMAGES, [0, 1, 0, 1])}, "text in train, whole numbers in test"),
        (list("abab"), {"class_names": ["a"]}, "1 labels that are no class: b"),
        ([0, 1, 0, 1], {"class_names": ["a", "a"]}, "class_names is"),
        ([0, 1, 0, 1], {"class_names": np.array(list("abcde"))}, "5 names, for 4 training images"),
        ([0, 1, 0, 1], {"class_names": "ab"}, "class_names is 'ab'"),
        ([0, 1, 0, 1], {"class_names": {1: "a", 2: "b"}}, "class_names is {1"),
        ([0, 1, 0, 1], {"class_names": {0: "a", "1": "b"}}, "class_names is {0"),
        ([0, 1, 0, 1], {"class_names": {"a", "b"}}, "class_names is a set, which has no order"),
        ([0, 1, 0, 1], {"class_names": ["Tea", "tea "]}, "look alike: 'Tea' and 'tea'"),
        (["Tea", "tea"] * 2, {}, "look alike: 'Tea' and 'tea'"),
        (["a\u2764", "a\u2764\ufe0f"] * 2, {}, "look alike"),
        (["c\u034fat", "cat"] * 2, {}, "look alike"),
        (["T-shirt", "T\u2011shirt"] * 2, {}, "look alike"),
        (["a", " "] * 2, {}, "2 labels of 4 are missing"),
        (np.array([0, 2**64 - 1] * 2, np.uint64), {}, "holds 18446744073709551615, which is above"),
        ([0, 1, 0, 1], {"test": IMAGES}, "test is ndarray"),
        ([0, 1, 0, 1], {"test": (IMAGES,)}, "test holds 1"),
        ([0, 1, 0, 1], {"validation": [IMAGES, [0] * 4, 1]}, "validation holds 3"),
        ([0, 1, 0, 1], {"name": None}, "name is None"),
        (
            [0, 1, 0, 2],
            {"class_names": ["a", "b"]},
            "labels run from 0 to 2, and there are 2 class",
        ),
        ([0, 1, 0, 1], {"class_names": list("abc")}, "no training image of 1 classes: c"),
        ([0, 1, 0, 1], {"test": (IMAGES, [0, 1, 7, 7])}, "1 labels that are no class: 7"),
        ([0, 1, 0, 1], {"test": (IMAGES[:, 1:], [0] * 4)}, "different shapes"),
        (
            [0, 1, 0, 1],
            {"test": (IMAGES / 255, [0] * 4)},
            "images of test: values from 0 to 0.09.* of another scale",
        ),
    ],
)
def test_wrong_arrays_are_named(labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(IMAGES, labels, **options)
    assert caught.value.expected and caught.value.fix


@pytest.mark.parametrize(
    ("labels", "class_names", "numbers"),
    [
        ([3, 1, 3, 1], ("1", "3"), [1, 0, 1, 0]),
        ([-1, 1, 10, 9], ("-1", "1", "9", "10"), [0, 1, 3, 2]),
        ([0.0, 1.0, 0.0, 1.0], ("0", "1"), [0, 1, 0, 1]),
        ([True, False, True, True], ("False", "True"), [1, 0, 1, 1]),
        (np.array([1, 0, 0, 1], object), ("0", "1"), [1, 0, 0, 1]),
        (np.array([b"cat", b"dog", b"cat", b"cat"]), ("cat", "dog"), [0, 1, 0, 0]),
        ([[0], [1], [0], [1]], ("0", "1"), [0, 1, 0, 1]),
        ([[1, 0, 1, 0]], ("0", "1"), [1, 0, 1, 0]),
        (np.eye(2)[[1, 0, 0, 1]], ("0", "1"), [1, 0, 0, 1]),
        (np.eye(2, dtype=bool)[[1, 0, 0, 1]], ("0", "1"), [1, 0, 0, 1]),
        (torch.tensor([0, 1, 0, 1]), ("0", "1"), [0, 1, 0, 1]),
        (["caf\u00e9", "tea", "cafe\u0301", " tea "], ("caf\u00e9", "tea"), [0, 1, 0, 1]),
        (["8", "9" * 5000] * 2, ("8", "9" * 5000), [0, 1, 0, 1]),
    ],
)
def test_labels_of_other_kinds_are_classes_too(
    labels: Any, class_names: tuple[str, ...], numbers: list[int]
) -> None:
    data = from_arrays(IMAGES, labels)

    assert data.train.class_names == class_names
    assert data.train.labels.tolist() == numbers


@pytest.mark.parametrize(
    "names", [{0: "cat", 1: "dog"}, np.array([b"cat", b"dog"]), ("cat", "dog")]
)
def test_class_names_may_come_in_other_forms(names: Any) -> None:
    assert from_arrays(IMAGES, [0, 1, 0, 1], class_names=names).train.class_names == ("cat", "dog")
    assert from_arrays(IMAGES, [0, 1] * 2, class_names=range(7, 9)).train.class_names == ("7", "8")


def test_what_was_taken_for_granted_is_noted() -> None:
    images = np.zeros((4, 3, 8, 9))
    images[0] = 1

    data = from_arrays(images, np.eye(3)[[2, 1, 2, 1]], test=(images[:1], [[0, 1, 0]]))

    assert data.train.shape == (3, 8, 9)
    assert data.notes == (
        "arrays: images of train is of shape (4, 3, 8, 9), taken for (N, channels, height, width)",
        "arrays: labels of train is one-hot of shape (4, 3), taken for the columns that hold the 1",
        "arrays: images of test is of shape (1, 3, 8, 9), taken for (N, channels, height, width)",
        "arrays: labels of test is one-hot of shape (1, 3), taken for the columns that hold the 1",
        "arrays: images of train is float64: 0 is taken for black, 1 for white",
        "arrays has labels that do not run from 0 without gaps: 1, 2",
    )
    assert from_arrays(IMAGES, [0, 1, 0, 1]).notes == ()


BYTES = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), np.uint8)
BYTES[0, 0, 0] = 0, 1, 255


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (BYTES / 255, {}),
        ((BYTES / 255).astype(np.float32), {}),
        (BYTES.astype(np.float32), {}),
        (BYTES.astype(np.uint16), {}),
        (BYTES.astype(np.uint16) * 257, {}),
        (BYTES.tolist(), {}),
        (list(BYTES), {}),
        (torch.from_numpy(BYTES), {}),
        (torch.from_numpy(BYTES).permute(0, 3, 1, 2), {}),
        (BYTES.transpose(0, 3, 1, 2), {}),
        (np.asfortranarray(BYTES), {}),
        (np.asfortranarray(BYTES / 255), {}),
        (BYTES.reshape(6, -1), {"image_shape": (9, 8, 3)}),
        (BYTES / 127.5 - 1, {"value_range": (-1, 1)}),
    ],
)
def test_the_same_pictures_are_the_same_whatever_holds_them(
    images: Any, options: dict[str, Any]
) -> None:
    data = from_arrays(images, [0, 1] * 3, **options)

    assert torch.equal(data.train.images, torch.from_numpy(BYTES))
    assert data.train.pixels.is_contiguous()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((6, 3, 8, 3)), r"\(N, 3 high, 8 wide, 3 channels\) or \(N, 3 channels, 8 high"),
        (np.zeros((6, 13, 9, 9)), "which may be"),
        (np.zeros((6, 192)), "colour images of 8×8 in two orders"),
        (BYTES.astype(np.int8), "int8 with values from -128 to 127"),
        (np.where(BYTES == 255, np.nan, BYTES), "[0-9] images contain NaN or infinity, the first"),
        (np.moveaxis(BYTES, 0, -1), r"moveaxis\(images, -1, 0\)"),
        ([*BYTES[:5], BYTES[5, 1:]], "cannot be one array"),
        (np.ma.masked_equal(BYTES, 255), "has masked values"),
        ([b"a"] * 6, r"is \|S1 of shape"),
        (np.zeros((6, 2, 2, 2, 2)), "of shape"),
        (7, "of shape"),
    ],
)
def test_images_with_two_meanings_or_none_are_refused(images: Any, message: str) -> None:
    with pytest.raises(ArrayError, match=message):
        from_arrays(images, [0, 1] * 3)
