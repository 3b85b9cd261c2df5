"""The pictures of one run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from rungwise.data import Dataset, LabelledImages, load
from rungwise.ladder.job import Job
from rungwise.ladder.run import open_run
from rungwise.models import MLP, Multitask
from rungwise.models.base import Model
from rungwise.report import run_figures
from rungwise.report.run_figures import draw_run_figures
from rungwise.techniques import Reconstruction
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed


@pytest.fixture
def digits() -> Dataset:
    whole = load("digits")
    return replace(whole, train=whole.train.take(torch.arange(40)), test=None)


def draw(model: Model, digits: Dataset, root: Path, validation: float = 0.25) -> list[Path]:
    techniques = (Reconstruction(),) if model.reconstructs else ()
    recipe = Recipe(
        name="tiny",
        model=model,
        validation=validation,
        techniques=techniques,
        epochs=2,
        batch_size=20,
        precision="float32",
    )
    job = Job(recipe, digits, Seed(0), root, torch.device("cpu"))
    for _ in job.train():
        pass
    return draw_run_figures(open_run(job.folder), job.parts())


@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_a_classifier_has_curves(digits: Dataset, tmp_path: Path, validation: float) -> None:
    [curves] = draw(MLP(hidden_widths=(4,)), digits, tmp_path, validation)

    assert curves.name == "curves.png"
    assert curves.parent.name == "figures"
    with Image.open(curves) as image:
        assert image.size[0] > 100


def test_an_autoencoders_reconstructions_are_of_images_it_was_not_trained_on(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[LabelledImages] = []
    real = run_figures.draw_reconstructions

    def watch(predictor: object, data: LabelledImages, path: Path) -> list[Path]:
        shown.append(data)
        return real(predictor, data, path)  # type: ignore[arg-type]

    monkeypatch.setattr(run_figures, "draw_reconstructions", watch)

    drawn = draw(Multitask(conv_width=2, dense_width=4), digits, tmp_path)

    assert [path.name for path in drawn] == ["curves.png", "reconstructions.png"]
    assert all(path.is_file() for path in drawn)
    assert [len(data) for data in shown] == [10]  # the quarter that is held out
