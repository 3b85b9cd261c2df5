"""A small part of the digits, and recipes that train on it in milliseconds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rungwise.augment import Shift
from rungwise.data import Dataset, load
from rungwise.ladder.job import Job
from rungwise.models import CNN
from rungwise.techniques import WeightAveraging
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Return 200 training and 60 test images."""
    whole = load("digits")
    assert whole.test is not None
    train, test = whole.train.take(torch.arange(200)), whole.test.take(torch.arange(60))
    return replace(whole, train=train, test=test)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Return a recipe with all that has a state or draws at random."""
    return Recipe(
        name="tiny",
        model=CNN(conv_widths=(4,), dense_widths=(8,)),
        validation=0.2,
        augment=(Shift(pixels=1),),
        techniques=(WeightAveraging(),),
        epochs=3,
        batch_size=40,
        keep="best-val-loss",
        precision="float32",
    )


@pytest.fixture
def job(recipe: Recipe, digits: Dataset, tmp_path: Path) -> Job:
    """Return a training that nobody has begun."""
    return Job(recipe, digits, Seed(0), tmp_path / "runs", CPU)
