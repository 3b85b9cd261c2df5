"""From an estimator's parameters to a recipe, and from a recipe to a predictor, in memory."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rungwise.data.images import LabelledImages
from rungwise.data.parts import Parts
from rungwise.errors import UsageError
from rungwise.interfaces.cli.watching import EPOCH_HEADER, Watch, epoch_line
from rungwise.ladder.recipes import find_recipe, recipe_for
from rungwise.prediction.collapse import collapse_of
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import Predictor, combine
from rungwise.prediction.trained import trained_predictor
from rungwise.techniques import EpochRecord
from rungwise.training.loop import Training
from rungwise.training.parsing import with_settings
from rungwise.training.readiness import made_ready
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed


def chosen_recipe(recipe: Any, changes: Mapping[str, Any], images: LabelledImages) -> Recipe:
    """Return the recipe that a user names, with the changes to it.

    Raises:
        UsageError: There is no such recipe, or a change cannot be made.
    """
    if isinstance(recipe, Recipe):
        base = recipe
    elif isinstance(recipe, str | Path):
        automatic = recipe == "auto"
        base = recipe_for(images.shape, len(images)) if automatic else find_recipe(str(recipe))
    else:
        raise UsageError(
            f"recipe is {recipe!r}",
            expected="auto, a name, a YAML file or a Recipe",
            fix="use for example recipe='compact'",
        )
    plain = [(str(place), plain_value(value)) for place, value in changes.items()]
    return with_settings(base, plain, f"the recipe {base.name!r} with the estimator's settings")


def plain_value(value: Any) -> Any:
    """Return NumPy's numbers and arrays, as a search draws them, and tuples as YAML holds them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in value]
    return value


def train(
    recipe: Recipe, parts: Parts, seed: int, device: torch.device, *, verbose: bool
) -> tuple[Predictor, list[list[EpochRecord]]]:
    """Train the nets of a recipe; return their predictor and each net's epochs.

    Args:
        recipe: Of one net or an ensemble.
        parts: The images to train on and to validate with.
        seed: The draw; the members of an ensemble share it.
        device: Where to train.
        verbose: Whether to print each epoch to stderr.

    Raises:
        UsageError: The net or a technique cannot take these images.
        RunError: The training diverges.
    """
    predictors, histories = [], []
    with Watch(quiet=not verbose) as watch:
        for member, single in enumerate(recipe.member_recipes()):
            ready = made_ready(single, parts.train, device)
            watch.line(EPOCH_HEADER)
            training = Training(ready, parts.train, parts.validation, Seed(seed, member), device)
            for progress in training.steps():
                if progress.record:
                    watch.line(epoch_line(progress.record))
                watch.training_bar("", progress, ready.epochs)
            predictor = trained_predictor(training, parts)
            _warn_of_collapse(training, predictor, parts)
            predictors.append(predictor)
            histories.append(training.history)
    return combine(predictors, recipe), histories


def _warn_of_collapse(training: Training, predictor: Predictor, parts: Parts) -> None:
    """Warn the caller of `fit` if a training has collapsed."""
    images = parts.validation
    held_out = evaluate(predictor.probabilities_of(images), images) if images else None
    collapse = collapse_of(training.kept_record(), held_out, parts, training.steps_taken)
    if collapse:
        warnings.warn(f"a training collapsed: {collapse}", stacklevel=4)
