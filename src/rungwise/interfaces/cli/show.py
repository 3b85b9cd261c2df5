"""`rungwise show`: one ladder, recipe, model, technique or trained predictor in full."""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from rungwise.errors import UnknownNameError
from rungwise.interfaces.cli.listing import registry
from rungwise.interfaces.cli.options import Output
from rungwise.interfaces.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from rungwise.models import Model
    from rungwise.models.summary import Summary

show = App(
    name="show",
    help="Show one ladder, recipe, model, technique or trained predictor in full.",
    result_action="return_none",
)


@show.command
def ladder(name: str, *, output: Output = Output()) -> None:
    """Print what a ladder is for, what was measured of it, and its rungs.

    Args:
        name: One of `rungwise list ladders`.
    """
    from rungwise.ladder.numbers import percent
    from rungwise.ladder.presets import find_ladder

    found = find_ladder(name)
    if output.json:
        rungs = [
            {
                "name": rung.name,
                "change": rung.change,
                "base": rung.base,
                "control": rung.control,
                "reference": rung.reference,
            }
            for rung in found.rungs
        ]
        named = {"name": found.name, "data": found.data, "title": found.title}
        print_json({**named, "about": found.about, "rungs": rungs})
        return
    print(f"{found.title} [{found.data}]\n\n{found.about}")
    rows = [
        [rung.name, rung.base or "", rung.change, percent(rung.reference) if rung.reference else ""]
        for rung in found.rungs
    ]
    header = ["rung", "over", "change", "article"]
    if not any(article for *_, article in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    print_table(header, rows, left=3)


@show.command
def recipe(name: str, *, output: Output = Output()) -> None:
    """Print a recipe as the YAML file that `rungwise train --recipe FILE` reads.

    Args:
        name: One of `rungwise list recipes`, or a file.
    """
    from rungwise.ladder.recipes import find_recipe
    from rungwise.training.parsing import dump_recipe, recipe_text

    found = find_recipe(name)
    if output.json:
        print_json(dump_recipe(found))
    else:
        print(recipe_text(found), end="")


@show.command
def model(
    name: str,
    *,
    shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    set: Annotated[list[str] | None, Parameter(negative="")] = None,
    to: Path | None = None,
    output: Output = Output(),
) -> None:
    """Print a net's layers, output shapes, parameters and operations, and draw it.

    Args:
        name: One of `rungwise list models`, or a recipe such as fashion-mnist/padding.
        shape: Channels, height and width of an image.
        classes: Number of classes.
        set: SETTING=VALUE of the model, such as conv_widths=[32,64]; may be repeated.
        to: Also draw the net to this .svg or .png file.
    """
    from rungwise.models.summary import summarize
    from rungwise.report.netdrawing import draw_network

    found = _find_model(name, set or [])
    summary = summarize(found, shape, classes)
    if output.json:
        print_json(dataclasses.asdict(summary))
    else:
        _print_summary(summary)
    if to is not None:
        draw_network(found, shape, classes, to)
        if not output.json:
            print(f"picture     {to.resolve()}")


@show.command
def predictor(path: Path, *, output: Output = Output()) -> None:
    """Print what is on file of a trained predictor: its model card, or with --json all its facts.

    Args:
        path: A predictor's .safetensors file, or a run's folder.
    """
    import torch

    from rungwise.interfaces.cli.predictors import open_predictor
    from rungwise.interfaces.export.card import write_card
    from rungwise.interfaces.export.subject import Subject
    from rungwise.ladder.run import open_run

    found = open_predictor([path], torch.device("cpu"))
    if path.is_file():
        facts = Subject(found, path).facts()
    else:
        facts = Subject(found, path / "model.safetensors", open_run(path)).facts()
    if output.json:
        print_json(facts)
    else:
        print(write_card({**facts, "files": []}), end="")


def _find_model(name: str, settings: list[str]) -> "Model":
    from rungwise.ladder.recipes import RECIPES, find_recipe
    from rungwise.models import MODELS
    from rungwise.training.parsing import override, parse_recipe

    if name in MODELS:
        found = parse_recipe({"model": name})
    elif name in RECIPES or Path(name).exists():
        found = find_recipe(name)
    else:
        raise UnknownNameError("model", name, [*MODELS, *RECIPES])
    return override(found, [f"model.{setting}" for setting in settings]).model


def _print_summary(summary: "Summary") -> None:
    rows = [
        [
            layer.name,
            f"{layer.kind} {layer.description}".strip(),
            ", ".join(layer.inputs),
            "x".join(map(str, layer.output)),
            f"{layer.parameters:,}",
            f"{layer.flops:,}",
        ]
        for layer in summary.layers
    ]
    print_table(["layer", "what", "takes", "output", "parameters", "operations"], rows, left=3)
    print(f"parameters  {summary.parameters:,}")
    print(
        f"operations  {summary.flops:,} forward, {summary.training_flops_per_image:,} in training"
    )


@show.command
def technique(name: str, *, output: Output = Output()) -> None:
    """Print what a technique does, its source and its settings.

    Args:
        name: One of `rungwise list techniques`, `augmentations`, `optimizers`, `schedules` or
            `views`.
    """
    kinds = ("techniques", "augmentations", "optimizers", "schedules", "views")
    known = {name: component for kind in kinds for name, component in registry(kind).items()}
    if name not in known:
        raise UnknownNameError("technique", name, known)
    component = known[name]
    settings = _settings(component)
    if output.json:
        print_json({"name": name, "description": _description(component), "settings": settings})
        return
    print(_description(component))
    if settings:
        print()
        rows = [[s["name"], str(s["default"]), s["description"]] for s in settings]
        print_table(["setting", "default", "what it is"], rows, left=3)


def _description(component: type) -> str:
    module = inspect.getmodule(component)
    return f"{inspect.getdoc(module)}\n\n{inspect.getdoc(component)}"


def _settings(component: type) -> list[dict[str, Any]]:
    inherited = [base for base in reversed(component.__mro__) if dataclasses.is_dataclass(base)]
    texts = {name: text for base in inherited for name, text in _field_texts(base).items()}
    return [
        {"name": item.name, "default": item.default, "description": texts.get(item.name, "")}
        for item in dataclasses.fields(component)
    ]


def _field_texts(component: type) -> dict[str, str]:
    """Read the text under each field of a class, which Python itself does not keep."""
    body = ast.parse(textwrap.dedent(inspect.getsource(component))).body[0].body  # type: ignore[attr-defined]
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }
