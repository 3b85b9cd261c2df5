"""Arrays become data sets, or it is told what is wrong with them."""

from typing import Any

import numpy as np
import pytest

from rungwise.data import draw, from_arrays
from rungwise.errors import DataError

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
        ([0.0, 1, 0, 1], {}, "arrays: labels of train is float64"),
        ([0, 1, 0], {}, "for 4 images"),
        ([True, False, True, False], {}, "labels of train is bool"),
        (["a", "b", "a", None], {}, "labels of train is object"),
        (list("abab"), {"test": (IMAGES, list("abca"))}, "1 labels that are no class: c"),
        (list("abab"), {"test": (IMAGES, [0, 1, 0, 1])}, "in text and in numbers"),
        (list("abab"), {"class_names": ["a"]}, "1 labels that are no class: b"),
        ([0, 1, 0, 1], {"class_names": ["a", "a"]}, "class_names is"),
        ([0, 2, 0, 2], {}, "no training image of 1 classes: 1"),
        ([0, 1, 0, 1], {"test": (IMAGES[:, 1:], [0] * 4)}, "different shapes"),
        ([0, 1, 0, 1], {"test": (IMAGES / 255, [0] * 4)}, "images of test is float64"),
    ],
)
def test_wrong_arrays_are_named(labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(IMAGES, labels, **options)
    assert caught.value.expected and caught.value.fix
