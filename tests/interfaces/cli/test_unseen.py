"""Accuracy on the images of which the training had no duplicate."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.data import draw, load

SEEN = {"cat/0", "cat/1", "dog/0"}
"""Images of the test part below that are trained on."""


@pytest.fixture
def leaky(here: Path) -> Path:
    """Return a folder of two classes whose test part repeats training images: 3 of 8."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 4)):
        for name in ("cat", "dog"):
            for index in range(count):
                path = here / "own" / part / name / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = rng.integers(0, 255, (16, 16), dtype=np.uint8)
                Image.fromarray(noise).save(path)
    # Of each class all are trained on but two; which, the split decides.
    train = draw(load("own"), 0.1, 0).train
    files = [here / "own" / train.name_of(index) for index in (0, 1, len(train) - 1)]
    shutil.copy(files[0], here / "own" / "test" / "cat" / "0.png")
    for file, copy in zip(files[1:], ("cat/1.png", "dog/0.png"), strict=True):
        darker = np.asarray(Image.open(file)) // 2 + 20
        Image.fromarray(darker.astype(np.uint8)).save(here / "own" / "test" / copy)
    return here / "own"


def trained(rungwise: Any, *words: object) -> str:
    return str(rungwise("train", *words, "--recipe", "tiny.yaml", "--json").json["run"])


def test_duplicates_of_training_images_are_left_out(rungwise: Any, leaky: Path) -> None:
    run = trained(rungwise, "own")
    figures = rungwise("evaluate", run, "--json").json
    assert figures["duplicates"] == 3
    test = load("own").test
    assert test is not None
    unseen = torch.tensor([i for i in range(8) if test.name_of(i)[5:-4] not in SEEN])
    alone = leaky.parent / "alone" / "test"
    for index in unseen.tolist():
        path = alone / test.name_of(index)[5:]
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(leaky / test.name_of(index), path)
    shutil.copytree(leaky / "train", alone.parent / "train")
    without = rungwise("evaluate", run, "alone", "--json").json
    assert figures["accuracy_without_duplicates"] == pytest.approx(without["accuracy"])
    assert without["duplicates"] == 0
    text = rungwise("evaluate", run).out
    assert "(without 3 that are in the training images, exactly or nearly)\n" in text
    assert "without duplicates" not in rungwise("evaluate", run, "alone").out


def test_nothing_is_said_where_the_training_images_are_not_at_hand(
    rungwise: Any, leaky: Path
) -> None:
    run = Path(trained(rungwise, "own"))
    leaky.rename(leaky.parent / "moved")
    figures = rungwise("evaluate", run, "moved", "--json").json
    assert (figures["duplicates"], figures["accuracy_without_duplicates"]) == (None, None)
    assert "without duplicates" not in rungwise("evaluate", run, "moved").out
    saved = rungwise("evaluate", run / "model.safetensors", "moved", "--json").json
    assert (saved["duplicates"], saved["accuracy_without_duplicates"]) == (None, None)


def test_of_an_ensemble_no_member_has_seen_what_is_counted(rungwise: Any, leaky: Path) -> None:
    runs = [trained(rungwise, "own", "--seed", seed) for seed in (0, 1)]
    one = rungwise("evaluate", runs[1], "--json").json["duplicates"]
    both = rungwise("evaluate", runs[0], "--with", runs[1], "--json").json["duplicates"]
    assert one <= both == 3


def test_where_all_were_trained_on_no_accuracy_is_made_up(rungwise: Any, leaky: Path) -> None:
    run = trained(rungwise, "own")
    copy = leaky.parent / "copy"
    shutil.copytree(leaky, copy)
    for path in (copy / "test").rglob("*.png"):
        if "/".join(path.with_suffix("").parts[-2:]) not in SEEN:
            path.unlink()
    figures = rungwise("evaluate", run, "copy", "--json").json
    assert (figures["duplicates"], figures["accuracy_without_duplicates"]) == (3, None)
    out = rungwise("evaluate", run, "copy").out
    assert "without duplicates  none: all 3 are in the training images\n" in out
