"""How a predictor uses its nets, in words."""

from rungwise.augment.views import VIEWS, Views
from rungwise.training.parsing import name_in
from rungwise.training.recipe import Recipe


def prediction_words(recipe: Recipe, nets: int) -> str:
    """Say how many nets answer, to which views, and whether temperatures scale their answers.

    >>> from rungwise.models import MLP
    >>> prediction_words(Recipe(model=MLP()), 1)
    '1 net, each image as it is'

    Args:
        recipe: Says how trained nets are used.
        nets: How many there are.
    """
    counted = "1 net" if nets == 1 else f"mean of {nets} nets"
    scaled = ", temperature scaling" if recipe.temperature_scaling else ""
    return f"{counted}, {_views(recipe.views)}{scaled}"


def _views(views: Views | None) -> str:
    if views is None:
        return "each image as it is"
    mean = f"mean over {views.count} views ({name_in(VIEWS, views)})"
    return mean if views.below == 1 else f"{mean} where less than {views.below:.0%} sure"
