"""The ladders that come with rungwise, against the facts of the five articles.

Every number here is copied from the articles, none from the presets.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment import Affine, ChannelShift, Flip, MirroredCopies
from rungwise.augment.views import RandomCopies
from rungwise.data import CATALOG, load
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import LADDERS, find_ladder
from rungwise.ladder.presets.cifar10 import NORMAL, STRONG
from rungwise.ladder.presets.whitened import momentum, muon
from rungwise.ladder.recipes import RECIPES
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models.base import Model
from rungwise.randomness import generator
from rungwise.techniques import EarlyStopping, Reconstruction
from rungwise.training.loop import Training
from rungwise.training.optimizer import SGD, Adam
from rungwise.training.parsing import dump_recipe, parse_recipe
from rungwise.training.program import fast_convolution
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

ALL_RUNGS = [
    pytest.param(ladder, rung, id=f"{ladder.name}/{rung.name}")
    for ladder in LADDERS.values()
    for rung in ladder.rungs
]

ARTICLES = {
    "mnist-1000": ("mnist@100", 0.2, 10_000, 8, "unit"),
    "cifar10": ("cifar10", "test", 150, 500, "unit"),
    "fashion-mnist": ("fashion-mnist", "test", 5, 32, "unit"),
    "mnist-cnn": ("mnist", "test", 10, 6000, "raw"),
    "mnist-multitask": ("mnist", "test", 20, 32, "unit"),
}
"""Data, validation, epochs, batch size (E names none: Keras's default) and input of each."""

REFERENCES = {
    "mnist-1000": {"cnn": 0.7464, "branch": None, "autoencoder": 0.9055},
    "cifar10": {
        "benchmark": 0.8439,
        "augmentation": 0.8742,
        "deep": 0.9004,
        "decay": 0.9250,
        "tta": 0.9431,
        "ensemble": 0.9507,
    },
    "fashion-mnist": {
        "mlp": 0.8775,
        "cnn": 0.9127,
        "conv3": 0.9263,
        "conv4": 0.9181,
        "no-dropout": 0.9246,
        "padding": 0.9284,
        "dense2": 0.9267,
        "mirror": 0.9336,
        "epochs10": 0.9322,
    },
    "mnist-cnn": {"dense": None, "cnn": 0.95},
    "mnist-multitask": {"classification": None, "multitask": 0.9933},
}

CHANGES = {
    "mnist-1000": {"branch": ("cnn", "model techniques"), "autoencoder": ("branch", "techniques")},
    "cifar10": {
        "augmentation": ("benchmark", "augment"),
        "deep": ("augmentation", "model"),
        "decay": ("deep", "schedule"),
        "tta": ("decay", "views"),
        "ensemble": ("tta", "ensemble"),
    },
    "fashion-mnist": {
        "cnn": ("mlp", "model"),
        "conv3": ("cnn", "model.conv_widths"),
        "conv4": ("conv3", "model.conv_widths"),
        "no-dropout": ("conv3", "model.dropout_conv model.dropout_dense"),
        "padding": ("conv3", "model.border"),
        "dense2": ("padding", "model.dense_widths"),
        "mirror": ("padding", "augment"),
        "epochs10": ("mirror", "epochs"),
    },
    "mnist-cnn": {"cnn": ("dense", "model")},
    "mnist-multitask": {"multitask": ("classification", "techniques")},
    "digits": {
        "cnn": ("dense", "model"),
        "compact": ("cnn", "model"),
        "decay": ("compact", "schedule"),
        "augmentation": ("decay", "augment"),
        "tta": ("augmentation", "views"),
        "ensemble": ("tta", "ensemble"),
    },
    "mnist-1000/best": {
        "long": ("quick", "model.widths optimizer epochs batch_size"),
        "affine": ("long", "augment"),
        "elastic": ("affine", "augment"),
        "averaging": ("elastic", "techniques"),
        "views": ("averaging", "views"),
        "top": ("views", "augment"),
    },
    "mnist/fast": {"moved": ("plain", "augment"), "two-epochs": ("moved", "epochs")},
    "mnist/best": {
        "affine": ("plain", "augment"),
        "averaging": ("affine", "techniques"),
        "views": ("averaging", "views"),
    },
    "fashion-mnist/fast": {
        "alternating": ("plain", "augment"),
        "views": ("alternating", "views"),
    },
    "cifar10@100/best": {
        "cutmix": ("plain", "techniques"),
        "varied": ("cutmix", "augment"),
        "views": ("varied", "views"),
        "deeper": ("views", "model.depth"),
        "faster": ("deeper", "optimizer"),
        "ensemble": ("faster", "ensemble"),
    },
    "fashion-mnist/best": {
        "erasing": ("plain", "augment"),
        "views": ("erasing", "views"),
        "ensemble": ("views", "ensemble"),
    },
    "cifar10/best": {
        "longer": ("unsure", "epochs"),
        "cutout": ("longer", "augment"),
        "full-size": ("cutout", "techniques epochs"),
        "deeper": ("full-size", "model.depth"),
        "border": ("deeper", "model.border epochs"),
        "wide": ("deeper", "model.widths techniques optimizer epochs"),
    },
    "cifar10/fast94": {
        "whitening": ("plain", "model.whitened_patch techniques"),
        "identity": ("whitening", "model.identity_init"),
        "biases": ("identity", "optimizer"),
        "lookahead": ("biases", "techniques"),
        "muon": ("lookahead", "techniques optimizer schedule"),
        "alternating": ("muon", "augment"),
        "views": ("alternating", "views"),
        "resizing": ("views", "techniques epochs"),
        "unsure": ("resizing", "views"),
    },
}
"""For each rung but the first: its base, and the places where the two recipes differ."""


def shape_of(ladder: Ladder) -> tuple[int, int, int]:
    return CATALOG[ladder.data.partition("@")[0]].shape


def differences(ours: Recipe, base: Recipe) -> str:
    """Name the settings that differ; of one model with other settings, those."""
    found = []
    for item in dataclasses.fields(Recipe):
        mine, other = getattr(ours, item.name), getattr(base, item.name)
        if item.name == "name" or mine == other:
            continue
        if isinstance(mine, Model) and type(mine) is type(other):
            inner = [part.name for part in dataclasses.fields(mine)]
            found += [f"model.{n}" for n in inner if getattr(mine, n) != getattr(other, n)]
        else:
            found.append(item.name)
    return " ".join(found)


def settings_of(name: str, setting: str) -> dict[str, Any]:
    return {rung.name: getattr(rung.recipe, setting) for rung in LADDERS[name].rungs}


@pytest.mark.parametrize(("ladder", "rung"), ALL_RUNGS)
def test_every_recipe_is_read_back_from_its_own_yaml(ladder: Ladder, rung: Rung) -> None:
    assert parse_recipe(dump_recipe(rung.recipe)) == rung.recipe
    assert RECIPES[f"{ladder.name}/{rung.name}"] == rung.recipe


@pytest.mark.parametrize("name", LADDERS)
def test_every_net_takes_the_ladders_images_and_tells_ten_classes(name: str) -> None:
    shape = shape_of(LADDERS[name])
    models = dict.fromkeys(rung.recipe.model for rung in LADDERS[name].rungs)
    for model in models:
        net = model.build(shape, 10, generator("test")).eval()
        with torch.no_grad():
            output = net(torch.rand(2, *shape))
        assert output.logits.shape == (2, 10)
        assert (output.reconstruction is not None) == model.reconstructs
        if output.reconstruction is not None:
            assert output.reconstruction.shape == (2, *shape)


@pytest.mark.parametrize("name", ARTICLES)
def test_data_validation_epochs_batch_and_input_are_the_articles(name: str) -> None:
    data, validation, epochs, batch_size, scaling = ARTICLES[name]
    ladder = LADDERS[name]

    assert (ladder.data, ladder.article_validation) == (data, validation)
    assert {rung.recipe.validation for rung in ladder.under("article").rungs} == {validation}
    assert set(settings_of(name, "batch_size").values()) == {batch_size}
    assert set(settings_of(name, "input").values()) == {scaling}
    assert set(settings_of(name, "keep").values()) == {"last"}
    told = settings_of(name, "epochs")
    assert told == dict.fromkeys(told, epochs) | ({"epochs10": 10} if "epochs10" in told else {})


@pytest.mark.parametrize("name", REFERENCES)
def test_rungs_and_their_accuracies_are_the_articles(name: str) -> None:
    assert {rung.name: rung.reference for rung in LADDERS[name].rungs} == REFERENCES[name]
    assert list(REFERENCES[name]) == [rung.name for rung in LADDERS[name].rungs]


@pytest.mark.parametrize("name", CHANGES)
def test_a_rung_differs_from_its_base_by_its_own_change_alone(name: str) -> None:
    first, *others = LADDERS[name].rungs

    assert first.base is None
    assert {
        rung.name: (
            rung.base,
            differences(rung.recipe, LADDERS[name].rung(rung.base or "").recipe),
        )
        for rung in others
    } == CHANGES[name]


def test_only_the_rungs_that_isolate_a_cause_are_controls() -> None:
    controls = {
        f"{ladder.name}/{rung.name}"
        for ladder in LADDERS.values()
        for rung in ladder.rungs
        if rung.control
    }
    assert controls == {"mnist-1000/branch", "mnist-multitask/classification"}


@pytest.mark.parametrize("name", ["mnist-1000", "cifar10", "fashion-mnist", "mnist-cnn"])
def test_four_articles_use_keras_adam(name: str) -> None:
    assert set(settings_of(name, "optimizer").values()) == {
        Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-7)
    }


def test_article_a_stops_early_and_gives_the_autoencoder_weight_one() -> None:
    stopping = EarlyStopping(monitor="val_loss", min_delta=1e-5, patience=10)

    assert settings_of("mnist-1000", "techniques") == {
        "cnn": (stopping,),
        "branch": (Reconstruction(weight=0.0, class_weight=1.0), stopping),
        "autoencoder": (Reconstruction(weight=1.0, class_weight=1.0), stopping),
    }


def test_article_bs_strong_augmentation_keeps_the_normal_rotation() -> None:
    assert (
        Affine(rotate_degrees=20, shift=0.2, zoom=0.2),
        ChannelShift(amount=0.2),
        Flip(probability=0.5),
    ) == NORMAL
    assert (
        Affine(rotate_degrees=20, shift=0.3, zoom=0.3),
        ChannelShift(amount=0.3),
        Flip(probability=0.5),
    ) == STRONG


def test_article_bs_learning_rate_falls_from_epochs_100_and_140() -> None:
    schedule = LADDERS["cifar10"].rung("decay").recipe.schedule
    # Steps of 150 epochs of 100 steps: the last before each fall, and the first after it.
    steps = [0, 9_999, 10_000, 13_999, 14_000, 14_999]

    factors = [schedule.factor(step / 15_000) for step in steps]

    assert factors == pytest.approx([1, 1, 1 / 5, 1 / 5, 1 / 10, 1 / 10])


def test_article_bs_ensemble_averages_five_normal_and_five_strong_nets_with_normal_views() -> None:
    recipe = LADDERS["cifar10"].rung("ensemble").recipe

    assert [member.augment for member in recipe.member_recipes()] == [NORMAL] * 5 + [STRONG] * 5
    assert recipe.views == RandomCopies(copies=50)
    assert recipe.augment == NORMAL


def test_article_cs_mirror_rung_doubles_the_training_images() -> None:
    assert settings_of("fashion-mnist", "augment")["mirror"] == (MirroredCopies(),)


def test_article_e_weighs_its_tasks_nine_to_one_and_uses_nesterov() -> None:
    assert settings_of("mnist-multitask", "techniques") == {
        "classification": (Reconstruction(weight=0.0, class_weight=0.9),),
        "multitask": (Reconstruction(weight=0.1, class_weight=0.9),),
    }
    assert set(settings_of("mnist-multitask", "optimizer").values()) == {
        SGD(lr=0.01, momentum=0.9, nesterov=True)
    }


def test_rates_of_the_speed_records_are_carried_over_to_mean_losses() -> None:
    """Worked by hand: the sum's rates times the batch; the head's logits are a ninth, not 1/256."""
    made = muon(2000, 256, 0.24)

    assert made.bias_lr == pytest.approx(0.053 * 2000)
    assert made.dense_lr == pytest.approx(0.67 * 2000 / 256**2 / (1 / 9) ** 2, rel=1e-4)
    assert made.weight_decay == pytest.approx(0.004 / 0.15, rel=1e-3)
    plain = momentum(1024)
    assert plain.lr == pytest.approx(11.5 / (1 + 1 / 0.15), rel=1e-4)
    decay_of_the_record = 0.0153 / 11.5
    assert plain.weight_decay == pytest.approx(decay_of_the_record, rel=1e-2)


@pytest.mark.bfloat16
def test_the_first_step_of_mnist_fast_has_gradients_and_no_rounding(
    real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With variances' usual epsilon one had a gradient of 1, rounding alone (docs/log.md)."""
    real_data("mnist")
    monkeypatch.setattr(fast_convolution, "FEWEST_PAIRS", math.inf)  # Direct ones everywhere.
    recipe = dataclasses.replace(RECIPES["mnist/fast/plain"], precision="bfloat16")
    training = Training(recipe, load("mnist").train, None, Seed(), torch.device("cpu"))

    next(training.steps())

    gradient = training.net.get_parameter("net.stem.conv.bias").grad
    assert gradient is not None
    assert gradient.abs().max() < 0.005


def test_an_unknown_ladder_is_told_with_the_nearest_right_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mnist-multitask'"):
        find_ladder("mnist-multitsk")
