"""Recipes by name: the general one, and every rung of every ladder as LADDER/RUNG."""

from pathlib import Path

from rungwise.augment import Shift
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import LADDERS
from rungwise.models import Compact
from rungwise.techniques import LabelSmoothing
from rungwise.training.optimizer import AdamW
from rungwise.training.parsing import load_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import OneCycle

RECIPES: dict[str, Recipe] = {
    "compact": Recipe(
        name="compact",
        model=Compact(widths=(32, 64)),
        input="standardized",
        augment=(Shift(pixels=1),),
        techniques=(LabelSmoothing(amount=0.1),),
        optimizer=AdamW(lr=0.005, weight_decay=0.02),
        schedule=OneCycle(),
        epochs=15,
        batch_size=64,
    ),
    **{
        f"{ladder.name}/{rung.name}": rung.recipe
        for ladder in LADDERS.values()
        for rung in ladder.rungs
    },
}
"""Every named recipe; `compact` suits images of any size and is what `rungwise train` uses."""


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
