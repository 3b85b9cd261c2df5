"""Predictors with random weights, of each kind that has to come through an export."""

from collections.abc import Callable

import pytest
import torch

from rungwise.augment import Flip
from rungwise.augment.views import Mirror
from rungwise.data.images import LabelledImages
from rungwise.models import CNN, MODELS, Compact, Model, Multitask
from rungwise.models.input import ScaledNetwork, input_statistics
from rungwise.prediction.predictor import Predictor, combine
from rungwise.randomness import generator
from rungwise.training.recipe import Recipe

NAMES = ("a", "b", "c")
SHAPE = (2, 8, 8)
KINDS = ("plain", "two-headed", "mirror", "moved", "ensemble", "below")
BELOW = 0.42
"""About half of the noise is less sure than that."""


def noise(count: int = 40, shape: tuple[int, int, int] = SHAPE) -> LabelledImages:
    """Return images of noise, each with a brightness of its own; labels are all 0."""
    channels, height, width = shape
    rng = generator("noise", count)
    bright = torch.rand(count, 1, 1, channels, generator=rng)
    pixels = (torch.rand(count, height, width, channels, generator=rng) * bright * 255).byte()
    return LabelledImages(pixels, torch.zeros(count, dtype=torch.int64), NAMES)


def untrained(model: Model, seed: int = 0, **settings: object) -> Predictor:
    """Return a predictor of one net with random weights that differ enough to tell images."""
    recipe = Recipe(model=model, augment=(Flip(),), **settings)  # type: ignore[arg-type]
    net = ScaledNetwork(
        model.build(SHAPE, len(NAMES), generator("net", seed)),
        *input_statistics("standardized", noise()),
    )
    with torch.no_grad():
        list(net.parameters())[-2].mul_(3)
    net.to(memory_format=torch.channels_last)
    return Predictor(recipe, (recipe,), (net.eval(),), NAMES, SHAPE, temperatures=(1.5 + seed,))


def of_kind(kind: str) -> Predictor:
    cnn = CNN(conv_widths=(4,), dense_widths=(6,))
    match kind:
        case "plain":
            return untrained(cnn)
        case "two-headed":
            return untrained(Multitask(conv_width=2, dense_width=4))
        case "mirror":
            return untrained(cnn, views=Mirror())
        case "moved":
            return untrained(cnn, views=Mirror(pixels=1))
        case "below":
            return untrained(cnn, views=Mirror(pixels=1, below=BELOW))
        case _:
            members = [untrained(cnn, seed) for seed in range(3)]
            return combine(members).with_temperature_scaling(True)


def small(name: str) -> Predictor:
    """Return a small predictor of an architecture."""
    settings = {
        "cnn": {"conv_widths": (4, 3), "dense_widths": (6,)},
        "compact": {"widths": (4, 6), "stem_width": 3, "depth": 3},
        "mlp": {"hidden_widths": (5,)},
        "multitask": {"conv_width": 2, "dense_width": 4},
        "strided-cnn": {"conv_widths": (3, 2), "dense_widths": (4,)},
        "two-branch": {
            "encoder_widths": (4,),
            "decoder_widths": (3,),
            "conv_widths": (3,),
            "dense_widths": (4,),
            "fusion_width": 3,
        },
        "vgg-benchmark": {"widths": (2, 3, 4), "dense_width": 5},
        "vgg-deep": {"widths": (2, 3, 4, 4), "dense_width": 5},
    }
    return untrained(MODELS[name](**settings[name]))


@pytest.fixture(name="noise")
def noise_fixture() -> Callable[..., LabelledImages]:
    return noise


@pytest.fixture(params=KINDS)
def predictor(request: pytest.FixtureRequest) -> Predictor:
    """Return a predictor of each kind in turn."""
    return of_kind(request.param)


@pytest.fixture
def plain() -> Predictor:
    return of_kind("plain")


@pytest.fixture
def below() -> Predictor:
    return of_kind("below")


@pytest.fixture
def wide() -> Predictor:
    """Return a predictor whose patches are fixed, of residual groups, in bfloat16."""
    return untrained(Compact(widths=(4,), whitened_patch=2, depth=3), precision="bfloat16")


@pytest.fixture(params=sorted(MODELS))
def of_each_model(request: pytest.FixtureRequest) -> Predictor:
    return small(request.param)
