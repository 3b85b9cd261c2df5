"""Recipes by name: the general one, and every rung of every ladder as LADDER/RUNG."""

import math
from dataclasses import replace
from pathlib import Path

from rungwise.augment import Shift
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import LADDERS
from rungwise.models import MLP, Compact
from rungwise.techniques import LabelSmoothing
from rungwise.training.course import steps_per_epoch
from rungwise.training.optimizer import AdamW
from rungwise.training.parsing import load_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import OneCycle

COMPACT = Recipe(
    name="compact",
    model=Compact(widths=(32, 64)),
    input="standardized",
    augment=(Shift(pixels=1),),
    techniques=(LabelSmoothing(amount=0.1),),
    optimizer=AdamW(lr=0.005, weight_decay=0.02),
    schedule=OneCycle(),
    epochs=15,
    batch_size=64,
)
DENSE = replace(COMPACT, name="dense", model=MLP(), augment=(), techniques=())
RECIPES: dict[str, Recipe] = {
    "compact": COMPACT,
    "dense": DENSE,
    **{
        f"{ladder.name}/{rung.name}": rung.recipe
        for ladder in LADDERS.values()
        for rung in ladder.rungs
    },
}
"""Every named recipe; `compact` suits images of 8×8 pixels or more and is what `rungwise train`
uses, `dense` takes smaller ones, too."""

SMALLEST_SIDE = 8
FEWEST_STEPS = 300


def recipe_for(shape: tuple[int, int, int], images: int) -> Recipe:
    """Return the general recipe that suits some images.

    It is `compact` for images whose sides have 8 pixels or more, else `dense`; its epochs are as
    many as 300 steps take, but no fewer than its own: few images are seen more often.

    Args:
        shape: (C, H, W) of one image.
        images: How many there are to train on.

    >>> recipe_for((1, 28, 28), 60_000).epochs, recipe_for((1, 1, 4), 150).epochs
    (15, 100)
    """
    recipe = COMPACT if min(shape[1:]) >= SMALLEST_SIDE else DENSE
    epochs = math.ceil(FEWEST_STEPS / steps_per_epoch(images, recipe.batch_size))
    return replace(recipe, epochs=max(recipe.epochs, epochs))


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name, or of that YAML file.

    Raises:
        UnknownNameError: There is no such recipe and no such file.
        ConfigError: The file has mistakes; all of them are told.
    """
    if name in RECIPES:
        return RECIPES[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return load_recipe(path)
    raise UnknownNameError(
        "recipe", name, RECIPES, fix="`rungwise list recipes` shows them; a file ends in .yaml"
    )
