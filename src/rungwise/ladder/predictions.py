"""Predictions on file: what was evaluated once is never evaluated again.

The probabilities of each image are the record; every figure is computed from them.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from rungwise.data import LabelledImages
from rungwise.errors import RunError
from rungwise.ladder.run import Run, slug
from rungwise.prediction.predictor import Predictor, combine
from rungwise.training.checkpoint import opened_tensors, write_tensors
from rungwise.training.parsing import dump_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.sources import own_sources

Part = Literal["validation", "test"]


def probabilities_of(
    recipe: Recipe,
    runs: Sequence[Run],
    images: LabelledImages,
    part: Part,
    root: Path,
    device: torch.device,
) -> torch.Tensor:
    """Return class probabilities (N, K) float32 of the recipe's predictor, computed or read.

    Args:
        recipe: Says which views are averaged.
        runs: The trained nets, all of one data set.
        images: What to predict.
        part: What the images are, for the file's name.
        root: The folder of all runs.
        device: Where to compute.
    """
    path = prediction_path(recipe, runs, images, root)
    if path.exists():
        try:
            return read_probabilities(path, images.classes, len(images))
        except RunError:
            path.unlink()
    probabilities = predictor_of(recipe, runs, device).probabilities_of(images)
    write_tensors(path, {"probabilities": probabilities}, {"part": part, "recipe": recipe.name})
    return probabilities


def read_probabilities(path: Path, classes: int, images: int | None = None) -> torch.Tensor:
    """Read stored class probabilities (N, K) float32.

    Args:
        path: The file.
        classes: K.
        images: N; None where it is not known.

    Raises:
        RunError: The file is missing, damaged, or holds none of so many classes and images.
    """
    with opened_tensors(path) as file:
        rows, columns = file.shapes["probabilities"]
        if columns != classes or images not in (None, rows):
            raise ValueError(f"it holds predictions of {rows} images and {columns} classes")
        return file.read()["probabilities"]


def prediction_path(
    recipe: Recipe, runs: Sequence[Run], images: LabelledImages, root: Path
) -> Path:
    """Return where the predictions of these images by these nets lie, or will lie."""
    key = prediction_key(recipe, runs, images)
    return root / slug(runs[0].summary["data"]) / "predictions" / f"{key}.safetensors"


def predictor_of(recipe: Recipe, runs: Sequence[Run], device: torch.device) -> Predictor:
    """Return the predictor that a recipe makes of its trained nets."""
    return combine([run.predictor(device) for run in runs], recipe)


def prediction_key(recipe: Recipe, runs: Sequence[Run], images: LabelledImages) -> str:
    """Return ten hexadecimal digits over nets, views, temperatures and images."""
    plain = dump_recipe(recipe)
    sources = own_sources([recipe.views, recipe.augment]) if recipe.views else []
    content = [
        [net for run in runs for net in run.nets()],
        plain["views"],
        plain["augment"] if recipe.views else None,
        images.fingerprint,
        *(["temperatures"] if recipe.temperature_scaling else []),  # theirs are in the nets' files
        *([sources] if sources else []),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
