"""The net to use in the end: which rung's, and how it is fitted."""

import math
from collections.abc import Sequence
from dataclasses import replace

from rungwise.data import Dataset
from rungwise.errors import ConfigError
from rungwise.ladder.result import RungResult, accuracies
from rungwise.training.recipe import Recipe


def best_of(results: Sequence[RungResult]) -> RungResult:
    """Return the rung that is best on the images that choices are made on.

    A rung counts with its mean accuracy less one standard error, by the spread of all rungs
    together: the best of many single measurements is mostly luck. Of equals the cheaper one is
    taken.
    """
    spread = _pooled_deviation(results)

    def worth(result: RungResult) -> tuple[float, float]:
        mean = accuracies(result.chosen_on).mean
        return mean - spread / math.sqrt(len(result.seeds)), -result.flops

    return max(results, key=worth)


def _pooled_deviation(results: Sequence[RungResult]) -> float:
    spreads = [accuracies(result.chosen_on) for result in results]
    weights = [len(spread.values) - 1 for spread in spreads]
    squares = [
        weight * (spread.std or 0.0) ** 2 for weight, spread in zip(weights, spreads, strict=True)
    ]
    return math.sqrt(sum(squares) / max(1, sum(weights)))


def on_all_images(recipe: Recipe, dataset: Dataset) -> Recipe:
    """Return the recipe that holds no training images out, if it does without them.

    It stays as it is where validation images have a say, as with early stopping and temperature
    scaling, and where none of the training images are held out anyway.
    """
    if recipe.validation in (0, "test") or dataset.validation is not None:
        return recipe
    try:
        return replace(recipe, validation=0.0)
    except ConfigError:
        return recipe
