"""The public entries inside a host program: its switches do no harm, and stay as they are."""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rungwise
from rungwise import ImageClassifier, Predictor, Recipe, forking
from rungwise.augment import AUGMENTATIONS
from rungwise.ladder.recipes import find_recipe
from rungwise.training.parsing import with_settings

KEPT: dict[str, Callable[[], Any]] = {
    "default dtype": torch.get_default_dtype,
    "default device": lambda: str(torch.get_default_device()),
    "gradients": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "autocast": lambda: torch.is_autocast_enabled("cpu"),
    "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "threads": torch.get_num_threads,
    "torch's random state": lambda: torch.get_rng_state().tolist(),
    "numpy's random state": lambda: np.random.get_state()[1].tolist(),  # noqa: NPY002
}


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


HOSTS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "float16": lambda: default_dtype(torch.float16),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "meta": lambda: torch.device("meta"),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "deterministic": deterministic,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
}
hosts = pytest.mark.parametrize("host", HOSTS)


def images(channels: int = 1) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return 60 images of two classes: one has a bright left half, the other a bright right."""
    noise = np.random.default_rng(0).integers(0, 100, (60, 12, 12, channels), dtype=np.uint8)
    labels = np.arange(60) % 2
    noise[labels == 0, :, :6] += 120
    noise[labels == 1, :, 6:] += 120
    return noise, labels


def fitted(recipe: str | Recipe, channels: int = 1, **changes: Any) -> np.ndarray[Any, Any]:
    pixels, labels = images(channels)
    classifier = ImageClassifier(recipe, random_state=0, **{"epochs": 2, **changes})
    return classifier.fit(pixels, labels).predict_proba(pixels)


@hosts
@pytest.mark.parametrize("recipe", ["dense", "compact", "digits/augmentation"])
def test_fitting_and_predicting_give_the_same_under_every_host(host: str, recipe: str) -> None:
    right = fitted(recipe)
    with HOSTS[host]():
        before = {name: ask() for name, ask in KEPT.items()}
        found = fitted(recipe)
        after = {name: ask() for name, ask in KEPT.items()}

    assert np.array_equal(found, right)
    assert after == before


def everything(kind: str) -> Recipe:
    """Return a recipe with every augmentation that changes images, or with many techniques."""
    changes: list[tuple[str, Any]] = [("batch_size", 16), ("model.widths", [16, 16])]
    if kind == "augmentations":
        unfit = {"affine", "alternating-flip", "balanced-copies"}
        affine = {"name": "affine", "rotate_degrees": 10, "shear_degrees": 5, "shift": 0.1}
        changes += [("augment", [*sorted(AUGMENTATIONS.keys() - unfit), affine])]
    else:
        names = ["mixup", "label-smoothing", "weight-averaging", "whitening", "hard-examples"]
        changes += [("techniques", names), ("views", "mirror"), ("model.whitened_patch", 2)]
        changes += [("optimizer", "muon")]
    return with_settings(find_recipe("compact"), changes, "a test's recipe")


@hosts
@pytest.mark.parametrize("kind", ["augmentations", "techniques"])
def test_augmentations_and_techniques_do_the_same_under_every_host(host: str, kind: str) -> None:
    recipe = everything(kind)
    right = fitted(recipe, channels=3, epochs=3)
    with HOSTS[host]():
        found = fitted(recipe, channels=3, epochs=3)

    assert np.array_equal(found, right)


@hosts
def test_what_was_saved_is_loaded_and_predicts_the_same_under_every_host(
    host: str, tmp_path: Path
) -> None:
    pixels, labels = images()
    classifier = ImageClassifier("compact", epochs=2, validation=0.2, random_state=0)
    right = classifier.fit(pixels, labels).predict_proba(pixels)
    classifier.save(tmp_path / "net.safetensors")

    with HOSTS[host]():
        loaded = ImageClassifier.load(tmp_path / "net.safetensors")
        assert np.array_equal(loaded.predict_proba(pixels), right)
        predictor = Predictor.load(tmp_path / "net.safetensors")
        found = predictor.probabilities(torch.from_numpy(pixels))
    assert np.array_equal(found.numpy(), right)
    # What was loaded inside is good outside as well.
    assert np.array_equal(loaded.predict_proba(pixels), right)


@hosts
@pytest.mark.slow
def test_a_climb_gives_the_same_under_every_host(host: str, tmp_path: Path) -> None:
    def values(out: Path) -> list[Any]:
        result = rungwise.climb("digits", rungs=["cnn"], seeds=2, epochs=1, out=out)
        return [rung["val_accuracy"] for rung in result.to_dict()["rungs"]]

    right = values(tmp_path / "plain")
    with HOSTS[host]():
        found = values(tmp_path / "host")

    assert found == right


def test_fits_in_two_threads_at_once_give_what_one_alone_does() -> None:
    right, found = fitted("compact"), queue.SimpleQueue[Any]()
    threads = [
        threading.Thread(target=lambda: found.put(fitted("compact")), daemon=True) for _ in "ab"
    ]
    for thread in threads:
        thread.start()

    for _ in threads:
        assert np.array_equal(found.get(timeout=120), right)


# --- Forks ----------------------------------------------------------------------------------------

LARGE = 40
"""Sides of images large enough for several threads."""


def large() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    pixels, labels = images()
    return np.kron(pixels, np.ones((1, LARGE // 12 + 1, LARGE // 12 + 1, 1), np.uint8)), labels


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_child(work: Callable[[], bool], seconds: float = 120) -> int:
    """Return the exit status of a forked child that does `work`; refuse one that hangs."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: os._exit(0 if work() else 3))
    child.start()
    child.join(seconds)
    if child.exitcode is None:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        pytest.fail("the child hangs")
    return child.exitcode


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("recipe", ["dense", "compact"])
def test_a_forked_child_predicts_and_fits_after_its_parent_has_computed(
    two_threads: None, recipe: str
) -> None:
    pixels, labels = large()
    classifier = ImageClassifier(recipe, epochs=1, random_state=0).fit(pixels, labels)
    right = classifier.predict_proba(pixels)
    torch.ones(600, 600) @ torch.ones(600, 600)  # All threads of the parent have worked.

    def predicts() -> bool:
        return bool(np.allclose(classifier.predict_proba(pixels), right, atol=1e-3))

    def fits() -> bool:
        own = ImageClassifier(recipe, epochs=1, random_state=0).fit(pixels, labels)
        return bool(np.isfinite(own.predict_proba(pixels)).all())

    def knows() -> bool:
        threads = torch.get_num_threads()
        predicts()
        return forking.lacks_threads() and torch.get_num_threads() == threads

    assert in_child(predicts) == 0
    assert in_child(fits) == 0
    assert in_child(knows) == 0
    assert not forking.lacks_threads()
