"""What an artefact keeps of where it comes from: read as it was written, or refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment.views import Mirror
from rungwise.errors import RunError
from rungwise.models import MLP
from rungwise.models.input import ScaledNetwork
from rungwise.prediction.origin import Figures, Origin
from rungwise.prediction.predictor import Predictor, combine
from rungwise.randomness import generator
from rungwise.training.checkpoint import read_tensors, write_tensors
from rungwise.training.recipe import Recipe

ORIGIN = Origin(
    data="mnist@100",
    fingerprint="0123",
    images={"train": 900, "validation": 100, "test": 10_000},
    images_of_class=(450, 450),
    recipe="tiny",
    seed="0.1",
    epochs=3,
    validation=0.1,
    rungwise="0.1.0",
)
VALIDATION = Figures(part="validation", images=100, accuracy=0.9, loss=0.25)
TEST = Figures(part="test", images=10_000, accuracy=0.875, loss=0.5, calibration_error=0.01)


@pytest.fixture
def predictor() -> Predictor:
    recipe = Recipe(model=MLP(hidden_widths=(3,)), precision="float32")
    net = recipe.model.build((1, 4, 4), 2, generator("net"))
    scaled = ScaledNetwork(net, torch.zeros(1), torch.ones(1)).eval()
    known = {"origins": (ORIGIN,), "figures": (VALIDATION, TEST)}
    return Predictor(recipe, (recipe,), (scaled,), ("cat", "dog"), (1, 4, 4), **known)


def test_an_artefact_tells_what_its_nets_were_trained_on(
    predictor: Predictor, tmp_path: Path
) -> None:
    predictor.save(tmp_path / "x.safetensors")

    found = Predictor.load(tmp_path / "x.safetensors")

    assert found.origins == (ORIGIN,)
    assert found.figures == (VALIDATION, TEST)


def test_an_artefact_without_an_origin_is_as_it_was_in_earlier_versions(
    predictor: Predictor, tmp_path: Path
) -> None:
    replace(predictor, origins=(), figures=()).save(tmp_path / "x.safetensors")

    description = read_tensors(tmp_path / "x.safetensors")[1]

    assert not {"origins", "figures"} & description.keys()
    assert Predictor.load(tmp_path / "x.safetensors").origins == ()


def test_figures_are_of_one_use_of_the_nets_and_origins_of_each_net(predictor: Predictor) -> None:
    unknown = replace(predictor, origins=(), figures=())

    both = combine([predictor, unknown])

    assert (both.origins, both.figures) == ((ORIGIN, None), ())
    assert predictor.with_views(Mirror()).figures == ()
    assert predictor.with_views(Mirror()).origins == (ORIGIN,)
    assert predictor.with_views(None).figures == (VALIDATION, TEST)
    assert combine([predictor]).figures == (VALIDATION, TEST)
    better = replace(TEST, accuracy=0.95)
    assert predictor.measured(better).figures == (VALIDATION, better)


@pytest.mark.parametrize(
    "change",
    [
        {"origins": [None, None]},
        {"origins": [{"data": "mnist"}]},
        {"origins": [[]]},
        {"origins": 1},
        {"figures": [{"part": "test"}]},
        {"figures": [None]},
    ],
)
def test_something_else_in_their_place_is_damage(
    predictor: Predictor, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "x.safetensors"
    predictor.save(path)
    tensors, description = read_tensors(path)
    write_tensors(path, tensors, {**description, **change})

    with pytest.raises(RunError, match="is damaged"):
        Predictor.load(path)
