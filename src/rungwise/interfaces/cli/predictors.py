"""RUN on the command line: a finished run's folder, or a predictor's own file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rungwise.interfaces.cli.options import Prediction

if TYPE_CHECKING:
    import torch

    from rungwise.prediction.predictor import Predictor


def open_predictor(
    paths: Sequence[Path], device: "torch.device", wanted: Prediction = Prediction()
) -> "Predictor":
    """Read the predictor of a run's folder or of a .safetensors file, or the mean of several.

    It predicts as the recipe of the first one says, unless something else is wanted.

    Args:
        paths: At least one.
        device: Where to predict.
        wanted: What was asked for on the command line.

    Raises:
        RunError: One is neither, or it is damaged.
        UsageError: They do not belong together, or cannot predict as is wanted.
    """
    from rungwise.prediction.predictor import combine
    from rungwise.training.parsing import predicting

    predictor = combine([_open(path, device) for path in paths])
    recipe = predicting(predictor.recipe, wanted.views, wanted.temperature_scaling)
    scaling = recipe.temperature_scaling
    return predictor.with_views(recipe.views).with_temperature_scaling(scaling)


def _open(path: Path, device: "torch.device") -> "Predictor":
    from rungwise.ladder.run import explaining_access, open_run
    from rungwise.prediction.predictor import Predictor

    with explaining_access(path):
        own_file = path.is_file()
    return Predictor.load(path, device) if own_file else open_run(path).predictor(device)


def way(predictor: "Predictor") -> str:
    """Return how a predictor predicts, in words."""
    from rungwise.prediction.words import prediction_words

    return prediction_words(predictor.recipe, len(predictor.nets))


def way_facts(predictor: "Predictor") -> dict[str, Any]:
    """Return how a predictor predicts, as JSON values."""
    from rungwise.training.parsing import dump_recipe

    recipe = dump_recipe(predictor.recipe)
    return {
        "nets": len(predictor.nets),
        **{name: recipe[name] for name in ("views", "temperature_scaling")},
    }


def note_way(predictor: "Predictor") -> None:
    """Say on stderr how a predictor predicts, unless it is one net without views."""
    recipe = predictor.recipe
    if len(predictor.nets) > 1 or recipe.views is not None or recipe.temperature_scaling:
        print(f"note: predicts with {way(predictor)}", file=sys.stderr)
