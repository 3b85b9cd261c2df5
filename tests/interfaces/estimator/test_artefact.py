"""A classifier on file: it comes back as it was, without pickle, or not at all."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rungwise import ImageClassifier, Predictor
from rungwise.errors import DamagedError, RunError, StorageError, UsageError
from rungwise.models import MLP
from rungwise.training.checkpoint import read_tensors, write_tensors
from rungwise.training.recipe import Recipe

ROWS, LABELS = (array[:100] for array in load_digits(return_X_y=True))
QUICK = Recipe(name="quick", model=MLP(hidden_widths=(8,)), epochs=2, batch_size=50)


def fitted(labels: Any = LABELS, **parameters: Any) -> ImageClassifier:
    return ImageClassifier(**{"recipe": QUICK, "random_state": 0, **parameters}).fit(ROWS, labels)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the file of a classifier."""
    path = tmp_path / "digits.safetensors"
    fitted().save(path)
    return path


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    parameters: dict[str, Any] = {
        "settings": {"optimizer.lr": np.float64(0.01), "views": "random-copies"},
        "epochs": np.int64(3),
        "validation": 0.2,
        "image_shape": (4, 16),
        "value_range": (0, 20),
        "device": "cpu",
    }
    parameters["settings"]["augment"] = [{"name": "shift", "pixels": 1}]
    classifier = fitted(**parameters)

    classifier.save(tmp_path / "new" / "digits.safetensors")
    loaded = ImageClassifier.load(tmp_path / "new" / "digits.safetensors", device="cpu")

    assert loaded.get_params() == classifier.get_params()
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), classifier.predict_proba(ROWS))
    np.testing.assert_array_equal(loaded.predict(ROWS), classifier.predict(ROWS))
    for name in ("classes_", "image_shape_", "value_range_", "seed_", "history_", "n_features_in_"):
        np.testing.assert_equal(getattr(loaded, name), getattr(classifier, name))
    again = loaded.fit(ROWS, LABELS)
    np.testing.assert_array_equal(again.predict_proba(ROWS), classifier.predict_proba(ROWS))


@pytest.mark.parametrize(
    "two",
    [
        np.array(["Straße", "b"]),
        np.array(["Straße", "b"], dtype=object),
        np.array([-1, 7], dtype=np.int8),
        np.array([1, 2], dtype=np.float32),
        np.array([False, True]),
    ],
    ids=["text", "object", "int8", "float32", "bool"],
)
def test_labels_keep_their_type(tmp_path: Path, two: Any) -> None:
    classifier = fitted(two[LABELS % 2])

    classifier.save(tmp_path / "file")
    loaded = ImageClassifier.load(tmp_path / "file")

    assert loaded.classes_.dtype == classifier.classes_.dtype == two.dtype
    assert loaded.predict(ROWS).tolist() == classifier.predict(ROWS).tolist()


def test_nothing_is_pickled(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        pytest.fail("pickle is used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, fail)

    loaded = ImageClassifier.load(saved)
    loaded.save(saved)

    assert ImageClassifier.load(saved).predict(ROWS).shape == (100,)


def test_it_is_a_predictor_for_all_else(
    saved: Path, rungwise: Callable[..., Any], picture: Callable[..., Path], here: Path
) -> None:
    predicted = rungwise("predict", saved, picture(here / "one.png"), "--json")

    assert predicted.code == 0, predicted.err
    assert predicted.json[0]["class"] in map(str, range(10))
    assert Predictor.load(saved).class_names == tuple(map(str, range(10)))


def test_a_random_state_is_kept_as_the_seed_that_was_drawn(tmp_path: Path) -> None:
    classifier = fitted(random_state=np.random.RandomState(5))

    classifier.save(tmp_path / "file")
    again = ImageClassifier.load(tmp_path / "file").fit(ROWS, LABELS)

    assert again.random_state == classifier.seed_
    np.testing.assert_array_equal(again.predict_proba(ROWS), classifier.predict_proba(ROWS))


def test_a_recipe_file_is_kept_as_its_path(tmp_path: Path) -> None:
    from rungwise.training.parsing import recipe_text

    path = tmp_path / "mine.yaml"
    path.write_text(recipe_text(QUICK))
    fitted(recipe=path).save(tmp_path / "file")

    assert ImageClassifier.load(tmp_path / "file").recipe == str(path)


def test_column_names_are_kept(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas, which no extra installs")
    frame = pandas.DataFrame(ROWS, columns=[f"pixel{i}" for i in range(64)])
    ImageClassifier(QUICK, random_state=0).fit(frame, LABELS).save(tmp_path / "file")

    loaded = ImageClassifier.load(tmp_path / "file")

    assert loaded.predict(frame).shape == (100,)  # A warning would be an error.
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[frame.columns[::-1]])


def test_a_write_that_fails_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    classifier = fitted(random_state=1)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="the disk is full"):
        classifier.save(saved)

    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_what_json_does_not_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    classifier = fitted()
    classifier.settings = {"model": MLP()}
    with pytest.raises(UsageError, match=r"settings: .* cannot be saved"):
        classifier.save(tmp_path / "file")

    classifier = fitted()
    classifier.classes_ = np.arange("2020-01", "2020-11", dtype="datetime64[M]")
    with pytest.raises(UsageError, match=r"labels: .* cannot be saved"):
        classifier.save(tmp_path / "file")

    assert list(tmp_path.iterdir()) == []


def test_a_runs_predictor_is_no_classifier(run: Path) -> None:
    with pytest.raises(RunError, match="no ImageClassifier"):
        ImageClassifier.load(run / "model.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"classes": {"values": list(range(10))}},
        {"classes": {"dtype": "<i8", "values": [1, 2]}},
        {"classes": {"dtype": "no type", "values": [1, 2]}},
        {"parameters": {"recipe": {"recipe": {"model": "mlq"}}}},
        {"parameters": {"recipes": "auto"}},
        {"parameters": None},
        {"value_range": [0]},
        {"seed": None},
        {"history": [[{"epoch": 1}]]},
    ],
)
def test_notes_that_are_none_are_told(saved: Path, change: dict[str, Any]) -> None:
    tensors, description = read_tensors(saved)
    description["notes"]["estimator"] |= change
    write_tensors(saved, tensors, description)

    with pytest.raises(DamagedError, match="is damaged"):
        ImageClassifier.load(saved)
