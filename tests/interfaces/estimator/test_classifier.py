"""The estimator among scikit-learn's own tools: its checks, pipelines, searches; and its errors."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import has_fit_parameter

from rungwise import ImageClassifier
from rungwise.data import draw, from_arrays, load
from rungwise.data.images import Dataset, LabelledImages
from rungwise.errors import UsageError
from rungwise.interfaces.estimator import classifier as classifier_module
from rungwise.ladder.job import make_job
from rungwise.ladder.recipes import find_recipe
from rungwise.models import MLP
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

ROWS, LABELS = load_digits(return_X_y=True)
FEW = slice(0, 200)
QUICK = Recipe(name="quick", model=MLP(hidden_widths=(16,)), epochs=3, batch_size=50)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CHECKS = parametrize_with_checks([ImageClassifier()])


@CHECKS
def test_scikit_learns_own_checks_pass(
    estimator: ImageClassifier, check: Callable[[ImageClassifier], None]
) -> None:
    check(estimator)


def test_the_default_reads_digits_well() -> None:
    scores = cross_val_score(ImageClassifier(random_state=0), ROWS[:900], LABELS[:900], cv=2)

    assert scores.min() > 0.85


def test_a_grid_search_compares_techniques_and_rates() -> None:
    grid = {
        "settings__techniques": [[], ["mixup"]],
        "settings__optimizer.lr": np.logspace(-6, -2, 2),
    }
    classifier = ImageClassifier("dense", epochs=4, random_state=0)

    search = GridSearchCV(classifier, grid, cv=2).fit(ROWS[:400], LABELS[:400])

    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_["settings__optimizer.lr"] == 1e-2
    assert search.best_score_ > 0.7
    trained = search.best_estimator_.predictor_.recipe.techniques
    assert len(trained) == len(search.best_params_["settings__techniques"])


def test_recipes_can_be_searched_by_name_or_as_they_are() -> None:
    grid = {"recipe": ["dense", QUICK, find_recipe("dense")]}

    search = GridSearchCV(ImageClassifier(random_state=0), grid, cv=2).fit(ROWS[FEW], LABELS[FEW])

    named, quick, given = search.cv_results_["mean_test_score"]
    assert named == given > quick


def test_it_stands_at_the_end_of_a_pipeline() -> None:
    pipeline = make_pipeline(MinMaxScaler(), ImageClassifier("dense", random_state=0))
    pipeline.set_params(imageclassifier__settings__schedule="constant")

    scores = cross_val_score(pipeline, ROWS[:400], LABELS[:400], cv=2)

    assert scores.min() > 0.8
    assert pipeline.fit(ROWS, LABELS)[-1].value_range_ == (0.0, 1.0)
    assert pipeline[-1].predictor_.recipe.schedule.factor(0.9) == 1


def test_labels_may_be_texts_and_come_back_as_they_were() -> None:
    names = np.array(["three", "one", "two"])[LABELS[FEW] % 3]

    classifier = ImageClassifier("dense", random_state=0).fit(ROWS[FEW], names)

    assert classifier.classes_.tolist() == ["one", "three", "two"]
    assert classifier.predictor_.class_names == ("one", "three", "two")
    assert (classifier.predict(ROWS[FEW]) == names).mean() > 0.9
    probabilities = classifier.predict_proba(ROWS[FEW])
    assert probabilities.shape == (200, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_images_and_their_rows_give_the_same_answers() -> None:
    images = ROWS[FEW].reshape(-1, 8, 8)
    by_rows = ImageClassifier(QUICK, random_state=0).fit(ROWS[FEW], LABELS[FEW])
    by_images = ImageClassifier(QUICK, random_state=0).fit(images[..., None], LABELS[FEW])

    assert by_images.n_features_in_ == 64
    expected = by_rows.predict_proba(ROWS[FEW])
    for classifier, given in ((by_rows, images), (by_images, ROWS[FEW]), (by_images, images)):
        np.testing.assert_array_equal(classifier.predict_proba(given), expected)


def test_a_whole_number_is_the_seed_of_a_run_and_gives_its_weights(tmp_path: Path) -> None:
    pixels = torch.from_numpy((ROWS[FEW] * 15).astype(np.uint8)).view(-1, 8, 8, 1)
    names = tuple(map(str, range(10)))
    images = LabelledImages(pixels, torch.from_numpy(LABELS[FEW].astype(np.int64)), names)
    job = make_job(QUICK, Dataset("some", images), Seed(3), tmp_path, torch.device("cpu"))
    for _ in job.train():
        pass

    classifier = ImageClassifier(QUICK, validation=QUICK.validation, random_state=3, device="cpu")
    classifier.fit(pixels.squeeze(-1).numpy(), LABELS[FEW])

    run = job.finished()
    assert run is not None
    expected = run.predictor()
    assert torch.equal(
        torch.from_numpy(classifier.predict_proba(pixels)), expected.probabilities(pixels)
    )
    assert classifier.predictor_.temperatures == expected.temperatures


def test_the_seed_that_was_drawn_trains_the_same_net_again() -> None:
    def trained(state: Any) -> ImageClassifier:
        return ImageClassifier(QUICK, random_state=state).fit(ROWS[FEW], LABELS[FEW])

    first, second = trained(np.random.RandomState(0)), trained(None)

    assert first.seed_ != second.seed_
    for classifier in (first, second):
        again = trained(classifier.seed_)
        expected = classifier.predict_proba(ROWS[FEW])
        np.testing.assert_array_equal(again.predict_proba(ROWS[FEW]), expected)


@pytest.mark.parametrize(
    ("shape", "name"), [((40, 8, 9), "compact"), ((40, 7, 9, 3), "dense"), ((40, 30), "dense")]
)
def test_auto_suits_the_size_of_the_images(shape: tuple[int, ...], name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    classifier = ImageClassifier(epochs=1).fit(images, np.arange(40) % 2)

    assert classifier.predictor_.recipe.name == name


def test_what_is_held_out_is_measured_and_stops_a_training_early() -> None:
    stopping = {"techniques": [{"name": "early-stopping", "patience": 1}], "optimizer.lr": 1e-9}
    classifier = ImageClassifier(
        "dense", settings=stopping, epochs=30, validation=0.2, random_state=0
    )

    classifier.fit(ROWS[FEW], LABELS[FEW])

    [epochs] = classifier.history_
    assert len(epochs) < 30
    assert all(epoch.val_acc is not None for epoch in epochs)


def test_all_images_are_trained_on_unless_some_are_to_be_held_out() -> None:
    classifier = ImageClassifier(QUICK, random_state=0).fit(ROWS[FEW], LABELS[FEW])

    assert QUICK.validation == 0.1
    assert classifier.predictor_.recipe.validation == 0
    assert [epoch.val_acc for epoch in classifier.history_[0]] == [None] * 3


def test_an_ensemble_is_trained_and_averaged() -> None:
    settings = {"ensemble": [{"count": 2}], "epochs": 2}
    classifier = ImageClassifier(QUICK, settings=settings, random_state=0)

    classifier.fit(ROWS[FEW], LABELS[FEW])

    first, second = classifier.predictor_.nets
    assert [len(epochs) for epochs in classifier.history_] == [2, 2]
    weights = [next(net.parameters()) for net in (first, second)]
    assert not torch.equal(*weights)


def test_settings_are_set_one_by_one_and_parameters_never_changed() -> None:
    given = {"optimizer.lr": 0.01}
    classifier = ImageClassifier(QUICK, settings=given, random_state=0)

    changed = clone(classifier).set_params(settings__batch_size=20, epochs=1)
    changed.fit(ROWS[FEW], LABELS[FEW])

    assert changed.settings == {"optimizer.lr": 0.01, "batch_size": 20}
    assert (changed.predictor_.recipe.batch_size, len(changed.history_[0])) == (20, 1)
    assert classifier.settings is given
    assert given == {"optimizer.lr": 0.01}
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        classifier.set_params(epoch=3)


def test_epochs_are_printed_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    ImageClassifier(QUICK).fit(ROWS[FEW], LABELS[FEW])
    assert capsys.readouterr() == ("", "")

    ImageClassifier(QUICK, verbose=True).fit(ROWS[FEW], LABELS[FEW])
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[0] for line in err.splitlines()] == ["epoch", "1", "2", "3"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"recipe": "compct"}, "did you mean 'compact'"),
        ({"recipe": 3}, "recipe is 3"),
        ({"settings": {"optimizer.l": 1}}, "did you mean 'optimizer.lr'"),
        ({"settings": {"techniques": ["mixp"]}}, "did you mean 'mixup'"),
        ({"settings": {"techniques": ["early-stopping"]}}, "set validation: 0.1"),
        ({"settings": {"epochs": 2}, "epochs": 3}, "epochs is among the settings"),
        ({"settings": {"validation": 0.2}}, "validation is among the settings"),
        ({"settings": ["epochs=3"]}, r"settings is \['epochs=3'\]"),
        ({"epochs": 0}, "1 or more"),
        ({"epochs": "3"}, "expected a whole number"),
        ({"validation": 20}, "not a percentage"),
        ({"random_state": -1}, "random_state is -1"),
        ({"random_state": "zero"}, "cannot be used to seed"),
        ({"random_state": np.random.default_rng(0)}, "cannot be used to seed"),
        ({"device": None}, "the device is 'None'"),
        ({"device": "tpu"}, "the device is 'tpu'"),
        ({"value_range": (1, 0)}, r"value_range is \(1, 0\)"),
        ({"image_shape": (8, 9)}, "has 72"),
    ],
)
def test_a_wrong_parameter_is_told_in_fit(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ImageClassifier(**parameters).fit(ROWS[FEW], LABELS[FEW])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (ROWS[FEW] * 16, "are of another scale than the range 0 to 16"),
        (ROWS[FEW, :60], "60 features, but ImageClassifier is expecting 64"),
        (np.zeros((2, 9, 9)), r"X is of shape \(2, 9, 9\), and images of shape \(8, 8, 1\)"),
        (np.zeros((2, 4, 16)), r"X is of shape \(2, 4, 16\)"),
        (ROWS[0], "Expected 2D array"),
        (np.full((2, 8, 8), np.nan), "contains NaN"),
    ],
)
def test_images_unlike_those_trained_with_are_refused(images: Any, words: str) -> None:
    classifier = ImageClassifier(QUICK, random_state=0).fit(ROWS[FEW], LABELS[FEW])

    with pytest.raises(ValueError, match=words):
        classifier.predict(images)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([None, *["cat"] * 198, ""], "y: 2 labels of 200 are missing, the first one .* image 0"),
        (np.where(LABELS[FEW] == 3, np.nan, LABELS[FEW]), "y: 21 labels of 200 are missing"),
        (np.eye(10)[LABELS[FEW]], r"y\.argmax\(1\)"),
        (LABELS[FEW] / 7, "Unknown label type"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ImageClassifier(QUICK).fit(ROWS[FEW], labels)


def test_weights_are_refused_and_no_tool_is_promised_them() -> None:
    classifier = ImageClassifier(QUICK, random_state=0)

    with pytest.raises(UsageError, match=r"fit takes no sample_weight(.|\n)*repeat images"):
        classifier.fit(ROWS[FEW], LABELS[FEW], sample_weight=np.ones(200))
    assert not has_fit_parameter(classifier, "sample_weight")
    bagging = BaggingClassifier(ImageClassifier("dense"), n_estimators=2, random_state=0)
    assert bagging.fit(ROWS[FEW], LABELS[FEW]).score(ROWS[FEW], LABELS[FEW]) > 0.6


def test_channels_first_are_brought_last_with_a_warning() -> None:
    images = np.random.default_rng(0).random((40, 3, 9, 8))
    labels = np.arange(40) % 2
    by_last = ImageClassifier(QUICK, random_state=0).fit(images.transpose(0, 2, 3, 1), labels)

    with pytest.warns(UserWarning, match=r"taken for \(N, channels, height, width\)"):
        by_first = ImageClassifier(QUICK, random_state=0).fit(images, labels)

    assert by_first.image_shape_ == (9, 8, 3)
    expected = by_last.predict_proba(images.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(by_first.predict_proba(images), expected)


@pytest.mark.parametrize(
    "images",
    [
        ROWS[FEW],
        ROWS[FEW] / 16,
        ROWS[FEW] * 15,
        (ROWS[FEW] * 15).astype(np.uint8).reshape(-1, 8, 8),
        (ROWS[FEW] * 4000).astype(np.uint16),
        ROWS[FEW] > 7,
        (ROWS[FEW] > 7).astype(np.uint8),
        ROWS[FEW].reshape(-1, 8, 8, 1) - 3.5,
        np.asfortranarray(ROWS[FEW].reshape(-1, 8, 8)),
    ],
)
def test_an_array_is_the_same_images_by_every_door(
    images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Dataset] = []

    def watched(dataset: Dataset, *rest: Any) -> Any:
        seen.append(dataset)
        return draw(dataset, *rest)

    monkeypatch.setattr(classifier_module, "draw", watched)
    np.savez(tmp_path / "x.npz", images=images, labels=LABELS[FEW])

    ImageClassifier(QUICK, epochs=1).fit(images, LABELS[FEW])

    by_arrays = from_arrays(images, LABELS[FEW])
    assert load(tmp_path / "x.npz").fingerprint == by_arrays.fingerprint
    assert seen[0].fingerprint == by_arrays.fingerprint


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="1 class alone: 'cat'"):
        ImageClassifier().fit(ROWS[FEW], ["cat"] * 200)


def test_mirrored_digits_are_warned_of_and_mirrored_noise_is_not() -> None:
    classifier = ImageClassifier(QUICK, settings={"augment": ["flip"]}, random_state=0)

    with pytest.warns(UserWarning, match="look like other classes(.|\n)*mirrors images here: flip"):
        classifier.fit(ROWS[:1000], LABELS[:1000])
    noise = np.random.default_rng(0).integers(0, 16, size=(200, 64))
    classifier.fit(noise, LABELS[FEW])  # any warning is an error here


def test_a_collapsed_training_is_warned_of() -> None:
    absurd = ImageClassifier(QUICK, settings={"optimizer.lr": 1000.0}, random_state=0)

    with pytest.warns(UserWarning, match="a training collapsed: the net answers"):
        absurd.fit(ROWS[:1000], LABELS[:1000])
