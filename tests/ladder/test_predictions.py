"""Predictions on file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rungwise.augment.views import RandomCopies
from rungwise.ladder.job import Job
from rungwise.ladder.predictions import predictor_of, probabilities_of
from rungwise.ladder.run import Run
from rungwise.prediction.predictor import Predictor

CPU = torch.device("cpu")


@pytest.fixture
def run(job: Job) -> Run:
    job = replace(job, recipe=replace(job.recipe, epochs=1))
    for _ in job.train():
        pass
    found = job.finished()
    assert found is not None
    return found


def files(job: Job) -> list[Path]:
    return sorted((job.root / "digits" / "predictions").iterdir())


def test_what_was_predicted_once_is_read_and_not_computed(
    job: Job, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, recipe = job.dataset.train, run.recipe()
    computed = probabilities_of(recipe, [run], images, "test", job.root, CPU)

    def refuse(self: Predictor, pixels: torch.Tensor) -> torch.Tensor:
        raise AssertionError("it predicts again")

    monkeypatch.setattr(Predictor, "probabilities", refuse)
    renamed = replace(recipe, name="renamed")
    read = probabilities_of(renamed, [run], images, "test", job.root, CPU)

    assert torch.equal(read, computed)
    assert len(files(job)) == 1


def test_views_images_nets_and_temperatures_have_predictions_of_their_own(
    job: Job, run: Run
) -> None:
    plain, images = run.recipe(), job.dataset.train
    copies = replace(plain, views=RandomCopies(copies=2))
    scaled = replace(plain, temperature_scaling=True)
    few = images.take(torch.arange(5))

    probabilities_of(plain, [run], images, "test", job.root, CPU)
    probabilities_of(copies, [run], images, "test", job.root, CPU)
    probabilities_of(plain, [run], few, "test", job.root, CPU)
    probabilities_of(plain, [run, run], few, "test", job.root, CPU)
    probabilities_of(scaled, [run], images, "test", job.root, CPU)

    assert len(files(job)) == 5


def test_a_damaged_prediction_is_computed_anew(job: Job, run: Run) -> None:
    images = job.dataset.train
    computed = probabilities_of(run.recipe(), [run], images, "test", job.root, CPU)
    files(job)[0].write_bytes(b"half")

    again = probabilities_of(run.recipe(), [run], images, "test", job.root, CPU)

    assert torch.equal(again, computed)


def test_a_recipes_predictor_averages_its_nets_over_its_views(job: Job, run: Run) -> None:
    recipe = replace(run.recipe(), views=RandomCopies(copies=2))

    predictor = predictor_of(recipe, [run, run], CPU)

    assert len(predictor.nets) == 2
    assert predictor.recipe.views == RandomCopies(copies=2)
