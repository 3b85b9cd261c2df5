"""Tests of the digits inside scikit-learn."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from rungwise.data.catalog import CATALOG
from rungwise.data.sources.digits import Digits

NAMES = CATALOG["digits"].class_names


def test_values_are_rounded_exactly() -> None:
    train, test = Digits().read(Path(), NAMES)
    ours = np.concatenate([train.images.numpy().ravel(), test.images.numpy().ravel()])
    theirs = np.round(load_digits().images / 16 * 255).ravel()
    assert (np.sort(ours) == np.sort(theirs)).all()
    assert sorted(set(ours.tolist()))[:3] == [0, 16, 32]  # 255 / 16 = 15.94, 2 · 255 / 16 = 31.88
    assert 128 in ours  # 8 · 255 / 16 = 127.5


def test_a_fifth_of_each_class_is_held_out() -> None:
    train, test = Digits().read(Path(), NAMES)
    assert (len(train), len(test)) == (1438, 359)
    for of_train, of_test in zip(train.class_counts(), test.class_counts(), strict=True):
        assert abs(of_test - 0.2 * (of_train + of_test)) < 1


def test_the_parts_never_change() -> None:
    train, test = Digits().read(Path(), NAMES)
    assert train.fingerprint[:12] == "e1e3e9235d76"
    assert test.fingerprint[:12] == "6523fd308a8f"
