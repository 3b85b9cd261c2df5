"""`rungwise list`: what there is, by name."""

from typing import Literal

from rungwise.interfaces.cli.options import Output
from rungwise.interfaces.cli.printing import print_json, print_table


def list_names(
    what: Literal[
        "ladders",
        "recipes",
        "models",
        "techniques",
        "augmentations",
        "optimizers",
        "schedules",
        "views",
    ],
    *,
    output: Output = Output(),
) -> None:
    """List ladders, recipes or what recipes are made of, with a line on each.

    Args:
        what: Which of them.
    """
    rows = _rows(what)
    if output.json:
        print_json([{"name": name, "description": description} for name, description in rows])
    else:
        print_table(["name", "description"], [list(row) for row in rows], left=2)


def _rows(what: str) -> list[tuple[str, str]]:
    from rungwise.ladder.presets import LADDERS
    from rungwise.ladder.recipes import RECIPES

    if what == "ladders":
        return [(name, ladder.title) for name, ladder in LADDERS.items()]
    if what == "recipes":
        return [
            (name, f"{recipe.epochs} epochs, batch {recipe.batch_size}")
            for name, recipe in RECIPES.items()
        ]
    return [(name, first_line(component)) for name, component in registry(what).items()]


def registry(what: str) -> dict[str, type]:
    """Return the registry of a kind of component, by its name in the plural."""
    from rungwise.augment import AUGMENTATIONS
    from rungwise.augment.views import VIEWS
    from rungwise.models import MODELS
    from rungwise.techniques import TECHNIQUES
    from rungwise.training.optimizer import OPTIMIZERS
    from rungwise.training.schedule import SCHEDULES

    registries: dict[str, dict[str, type]] = {
        "models": dict(MODELS),
        "techniques": dict(TECHNIQUES),
        "augmentations": dict(AUGMENTATIONS),
        "optimizers": dict(OPTIMIZERS),
        "schedules": dict(SCHEDULES),
        "views": dict(VIEWS),
    }
    return registries[what]


def first_line(component: type) -> str:
    """Return the first line of a component's docstring."""
    return (component.__doc__ or "").strip().splitlines()[0]
