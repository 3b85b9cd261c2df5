"""Which rung's net is the one to use, and on what it is fitted."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rungwise.data import Dataset
from rungwise.ladder.final import best_of, on_all_images
from rungwise.ladder.result import Measured, RungResult
from rungwise.ladder.run import Run
from rungwise.ladder.rung import Rung
from rungwise.models import MLP
from rungwise.techniques import EarlyStopping
from rungwise.training.recipe import Recipe

RECIPE = Recipe(model=MLP(), validation=0.2)


def result_of(name: str, accuracies: list[float], flops: float = 1.0) -> RungResult:
    measured = tuple(
        Measured(cast(Any, SimpleNamespace(accuracy=one)), cast(Any, None), Path(), "")
        for one in accuracies
    )
    run = Run(Path(), {"seconds": 1.0, "flops": flops})
    seeds = tuple(range(len(accuracies)))
    rung = Rung(recipe=replace(RECIPE, name=name), change="")
    return RungResult(rung, seeds, measured, (), ((run,),) * len(seeds))


def best(*results: RungResult) -> str:
    return best_of(results).rung.name


def test_the_highest_mean_is_best_where_all_have_as_many_seeds() -> None:
    assert best(result_of("low", [0.8, 0.9]), result_of("high", [0.87, 0.85])) == "high"


def test_a_single_lucky_measurement_does_not_beat_a_sure_one() -> None:
    # The spread of all rungs together is that of `sure`, 0.02: less one standard error `sure`
    # counts 0.9 - 0.02 / sqrt 4 = 0.89, `lucky` 0.905 - 0.02 = 0.885.
    spread = 0.02 * (3 / 4) ** 0.5
    sure = result_of("sure", [0.9 - spread, 0.9 - spread, 0.9 + spread, 0.9 + spread])

    assert best(sure, result_of("lucky", [0.905])) == "sure"
    assert best(sure, result_of("luckier", [0.915])) == "luckier"


def test_single_measurements_alone_are_taken_as_they_are() -> None:
    assert best(result_of("low", [0.8]), result_of("high", [0.81])) == "high"


def test_of_equals_the_cheaper_is_taken() -> None:
    dear, cheap = result_of("dear", [0.9, 0.8], flops=2.0), result_of("cheap", [0.8, 0.9])

    assert best(dear, cheap) == best(cheap, dear) == "cheap"


def test_the_choice_is_made_on_test_images_where_nothing_is_held_out() -> None:
    low, high = (
        replace(one, validation=(), test=one.validation)
        for one in (result_of("low", [0.8]), result_of("high", [0.9]))
    )

    assert best(low, high) == "high"


def test_the_net_to_use_is_fitted_to_all_training_images(digits: Dataset) -> None:
    assert on_all_images(RECIPE, digits) == replace(RECIPE, validation=0.0)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, techniques=(EarlyStopping(),)),
        replace(RECIPE, keep="best-val-loss"),
        replace(RECIPE, temperature_scaling=True),
        replace(RECIPE, validation=0.0),
        replace(RECIPE, validation="test"),
    ],
    ids=["early stopping", "keeps the best epoch", "temperature", "holds nothing out", "article"],
)
def test_a_recipe_stays_where_validation_has_a_say_or_nothing_is_held_out(
    recipe: Recipe, digits: Dataset
) -> None:
    assert on_all_images(recipe, digits) == recipe


def test_a_recipe_stays_where_the_data_bring_validation_images_of_their_own(
    digits: Dataset,
) -> None:
    assert on_all_images(RECIPE, replace(digits, validation=digits.test)) == RECIPE
