"""Recipes from and to YAML, parsed strictly: every mistake is told at once, with its place.

A component (model, augmentation, technique, optimizer ...) is written as `{name: NAME, ...}` or,
with its defaults, as the bare NAME.
"""

import dataclasses
import itertools
import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import yaml

from rungwise.augment import AUGMENTATIONS
from rungwise.augment.views import VIEWS
from rungwise.errors import ConfigError, UnknownNameError, UsageError, nearest
from rungwise.models import MODELS
from rungwise.techniques import TECHNIQUES
from rungwise.training.optimizer import OPTIMIZERS
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import SCHEDULES
from rungwise.training.yaml_text import MOST_CHARACTERS, Dumper, read_yaml

Problems = list[str]

LARGEST_WHOLE_NUMBER = 1_000_000_000
"""No setting needs a larger one; a processor's numbers end not far above."""

MOST_MISTAKES = 50
"""How many mistakes of a recipe are named at once."""

LONGEST_KEY = 80
"""How many letters of a key a message quotes."""

PREDICTION = ("name", "views", "ensemble", "temperature_scaling")
"""Settings of a recipe that do not determine the trained weights."""

REGISTRIES: dict[str, Mapping[str, type]] = {
    "rungwise.models.MODELS": MODELS,
    "rungwise.augment.AUGMENTATIONS": AUGMENTATIONS,
    "rungwise.techniques.TECHNIQUES": TECHNIQUES,
    "rungwise.training.optimizer.OPTIMIZERS": OPTIMIZERS,
    "rungwise.training.schedule.SCHEDULES": SCHEDULES,
    "rungwise.augment.views.VIEWS": VIEWS,
}
"""Where the classes of components have their names."""


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        ConfigError: The file is missing or has mistakes; all of them are told.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the recipe {path}: {error}",
            expected="a YAML file in UTF-8",
            fix="check the path; `rungwise list recipes` shows the named ones",
        ) from None
    return parse_recipe(read_yaml(text, str(path)), str(path))


def parse_recipe(value: Any, place: str = "recipe") -> Recipe:
    """Make a recipe of plain values, as YAML holds them.

    Raises:
        ConfigError: Anything is unknown, of a wrong type or out of range. All mistakes are told at
            once, each with its place and, for a name, the nearest right one.
    """
    problems: Problems = []
    recipe: Recipe = _parse_dataclass(Recipe, value, "", problems)
    if problems:
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        named = "\n".join(f"  - {problem}" for problem in problems[:MOST_MISTAKES])
        raise ConfigError(
            f"{count} in {place}:\n{named}",
            expected="what `rungwise show recipe NAME` prints for any named recipe",
            fix="mend each place that is named",
        )
    return recipe


def parse_component(registry: Mapping[str, type], text: str, place: str) -> Any:
    """Make one component of a YAML text such as `mirror` or `{name: mirror, pixels: 1}`.

    Raises:
        ConfigError: The text is not YAML, or the component has mistakes.
    """
    problems: Problems = []
    component = _parse_component(registry, read_yaml(text, place), place, problems)
    if problems:
        raise ConfigError(
            "; ".join(problems),
            expected=f"one of {', '.join(sorted(registry))}, or {{name: ..., setting: ...}}",
            fix="mend what is named",
        )
    return component


def component_text(registry: Mapping[str, type], component: Any) -> str:
    """Return a component as `parse_component` reads it, all settings on one line.

    >>> from rungwise.augment.views import VIEWS, Mirror
    >>> component_text(VIEWS, Mirror(pixels=1))
    '{name: mirror, pixels: 1, below: 1.0}'
    """
    plain = _dump(component, registry)
    text: str = yaml.dump(
        plain, Dumper=Dumper, default_flow_style=True, sort_keys=False, width=math.inf
    )
    return text.strip()


def dump_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return the fully resolved recipe as plain values that `parse_recipe` reads back."""
    return _dump_fields(recipe)


def dump_training(recipe: Recipe) -> dict[str, Any]:
    """Return the part of the recipe that determines the trained weights, as plain values."""
    plain = dump_recipe(recipe)
    return {key: plain[key] for key in plain if key not in PREDICTION}


def training_parts(recipe: Recipe) -> list[Any]:
    """Return the values of the settings that determine the trained weights."""
    names = [item.name for item in dataclasses.fields(recipe) if item.name not in PREDICTION]
    return [getattr(recipe, name) for name in names]


def recipe_text(recipe: Recipe) -> str:
    """Return the fully resolved recipe as YAML."""
    plain = dump_recipe(recipe)
    return yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def override(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """Return the recipe with settings such as `optimizer.lr=0.01` applied.

    A list's element is addressed by its name or its number: `augment.cutout.size=8`. Values are
    YAML, so `augment=[flip, {name: cutout, size: 8}]` replaces a whole list.

    Raises:
        ConfigError: A setting is no `place=value`, names no place, or has a wrong value.
    """
    title = "the recipe with --set " + " ".join(settings)
    return with_settings(recipe, map(_place_and_value, settings), title)


def predicting(recipe: Recipe, views: str | None, temperature_scaling: bool | None) -> Recipe:
    """Return the recipe with another way to predict; what is None stays as it is.

    Args:
        recipe: Says how to predict otherwise.
        views: `none`, or views as `parse_component` reads them.
        temperature_scaling: Whether temperatures are used.

    Raises:
        ConfigError: There are no such views, or the recipe cannot use them.
    """
    if views is not None:
        chosen = None if views == "none" else parse_component(VIEWS, views, "--views")
        recipe = dataclasses.replace(recipe, views=chosen)
    if temperature_scaling is not None:
        recipe = dataclasses.replace(recipe, temperature_scaling=temperature_scaling)
    return recipe


def _place_and_value(setting: str) -> tuple[str, Any]:
    place, equals, value = setting.partition("=")
    if not equals or not place:
        raise ConfigError(
            f"--set {setting} has no value",
            expected="a place and a value, such as optimizer.lr=0.01",
            fix="write --set PLACE=VALUE",
        )
    return place, read_yaml(value, f"--set {setting}")


def with_settings(recipe: Recipe, settings: Iterable[tuple[str, Any]], title: str) -> Recipe:
    """Return the recipe with plain values put in their places, one after the other.

    Args:
        recipe: What to start from.
        settings: Pairs such as `("optimizer.lr", 0.01)`; places are written as for `override`.
        title: What messages call the result.

    Raises:
        ConfigError: A setting names no place, or has a wrong value.
    """
    plain = dump_recipe(recipe)
    for place, value in settings:
        try:
            _set(plain, place.split("."), value)
        except UnknownNameError:
            parse_recipe(plain, title)  # A mistake before may be the cause; it is told first.
            raise
        plain = _resolved(plain)
    return parse_recipe(plain, title)


def _resolved(plain: dict[str, Any]) -> dict[str, Any]:
    """Write out the defaults of components named since, so that further settings find them."""
    try:
        return dump_recipe(parse_recipe(plain))
    except UsageError:
        return plain


def _set(plain: dict[str, Any], parts: list[str], value: Any) -> None:
    target: Any = plain
    for depth in range(len(parts) - 1):
        target = target[_key(target, parts[: depth + 1])]
    target[_key(target, parts)] = value


def _key(target: Any, parts: list[str]) -> Any:
    *parents, part = parts
    if isinstance(target, list):
        names = [element.get("name") if isinstance(element, dict) else None for element in target]
        if part in names:
            return names.index(part)
        if part.isdecimal() and int(part) < len(target):
            return int(part)
        known = [name for name in names if name]
    elif isinstance(target, dict):
        if part in target:
            return part
        known = list(target)
    else:
        known = []
    raise UnknownNameError(
        "setting",
        ".".join(parts),
        [".".join([*parents, name]) for name in known],
        fix=f"{part!r} is not there; `rungwise show recipe` prints all",
    )


def _dump_fields(value: Any) -> dict[str, Any]:
    return {
        item.name: _dump(getattr(value, item.name), item.metadata.get("registry"))
        for item in dataclasses.fields(value)
    }


def _dump(value: Any, registry: Mapping[str, type] | None) -> Any:
    if isinstance(value, tuple):
        return [_dump(element, registry) for element in value]
    if registry is not None and value is not None:
        return {"name": name_in(registry, value), **_dump_fields(value)}
    if dataclasses.is_dataclass(value):
        return _dump_fields(value)
    return value.item() if isinstance(value, np.generic) else value


def name_in(registry: Mapping[str, type], component: Any) -> str:
    """Return the name under which a component's class stands in its registry.

    Raises:
        ConfigError: It stands there under none, or is no component at all.
    """
    name = next((name for name, member in registry.items() if member is type(component)), None)
    if name is None or not dataclasses.is_dataclass(component):
        raise _unregistered(registry, component)
    return name


def _unregistered(registry: Mapping[str, type], component: Any) -> ConfigError:
    """Say what is missing before a component can be written down."""
    (place,) = (place for place, known in REGISTRIES.items() if known is registry)
    package, _, table = place.rpartition(".")
    kind = type(component)
    if isinstance(component, type | str) or not dataclasses.is_dataclass(component):
        return ConfigError(
            f"{component!r} is not a component whose settings can be written down",
            expected=f"an object of a frozen dataclass that is registered in {place}",
            fix="write an object, such as Flip(), not its class or its name, and "
            "@dataclass(frozen=True, kw_only=True) above a class of your own",
        )
    return ConfigError(
        f"the class {kind.__name__} has no name in {place}",
        expected="a class of your own that is registered before it is used",
        fix=f"from {package} import {table}; {table}[{kind.__name__.lower()!r}] = {kind.__name__}",
    )


def _parse_dataclass(cls: type, value: Any, place: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        problems.append(f"{place or 'the whole'}: expected keys and values, got {_shown(value)}")
        return None
    fields = {item.name: item for item in dataclasses.fields(cls)}
    types = get_type_hints(cls)
    before = len(problems)
    unknown = (key for key in value if key not in fields)
    for key in itertools.islice(unknown, MOST_MISTAKES):
        near = nearest(str(key), fields)
        hint = f"did you mean {near!r}?" if near else f"known here: {', '.join(fields)}"
        problems.append(f"{_join(place, key)}: unknown key; {hint}")
    for name, item in fields.items():
        if _required(item) and name not in value:
            problems.append(f"{_join(place, name)}: is missing")
    settings = {
        name: _parse_field(fields[name], types[name], value[name], _join(place, name), problems)
        for name in value
        if name in fields
    }
    if len(problems) > before:
        return None
    try:
        return cls(**settings)
    except UsageError as error:
        problems.append(f"{place + ': ' if place else ''}{_one_line(error)}")
        return None


def _parse_field(
    item: dataclasses.Field[Any], kind: Any, value: Any, place: str, problems: Problems
) -> Any:
    registry = item.metadata.get("registry")
    if value is None and type(None) in get_args(kind):
        return None
    element_kind = _element_kind(kind)
    if registry is None and not dataclasses.is_dataclass(element_kind):
        return _parse_plain(kind, value, place, problems)
    if element_kind is None:
        return _parse_component(registry or {}, value, place, problems)
    if not isinstance(value, list):
        problems.append(f"{place}: expected a list, got {_shown(value)}")
        return None
    return tuple(
        _parse_component(registry, element, f"{place}[{index}]", problems)
        if registry
        else _parse_dataclass(element_kind, element, f"{place}[{index}]", problems)
        for index, element in enumerate(value)
    )


def _element_kind(kind: Any) -> Any:
    """Return X of `tuple[X, ...]` or `tuple[X, ...] | None`, else None."""
    for part in (kind, *get_args(kind)):
        if get_origin(part) is tuple:
            return get_args(part)[0]
    return None


def _parse_component(
    registry: Mapping[str, type], value: Any, place: str, problems: Problems
) -> Any:
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or not isinstance(settings.get("name"), str):
        problems.append(f"{place}: expected {{name: ...}} or a name, got {_shown(value)}")
        return None
    name = settings["name"]
    if name not in registry:
        near = nearest(name, registry)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(registry))}"
        problems.append(f"{place}: unknown name {_shown(name)}; {hint}")
        return None
    rest = {key: setting for key, setting in settings.items() if key != "name"}
    return _parse_dataclass(registry[name], rest, place, problems)


def _parse_plain(kind: Any, value: Any, place: str, problems: Problems) -> Any:
    """Check a plain value strictly: 1 is a float, but '1' and true are not."""
    from pydantic import TypeAdapter, ValidationError

    try:
        # Through JSON, because strict mode takes a JSON list for a tuple but not a Python list.
        text = json.dumps(value, allow_nan=False)
        plain = TypeAdapter(kind).validate_json(text, strict=True)
    except (ValidationError, TypeError, ValueError):
        problems.append(f"{place}: expected {_words(kind)}, got {_shown(value)}")
        return None
    numbers = plain if isinstance(plain, tuple) else (plain,)
    if any(isinstance(one, int) and abs(one) > LARGEST_WHOLE_NUMBER for one in numbers):
        problems.append(
            f"{place}: expected whole numbers of at most {LARGEST_WHOLE_NUMBER:,}, "
            f"got {_shown(value)}"
        )
    return plain


def _shown(value: Any) -> str:
    """Write a value that a message quotes, shortened where it is long."""
    return reprlib.repr(value)


def _words(kind: Any) -> str:
    """Name a type as a user would."""
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if kind in plain:
        return plain[kind]
    if kind is type(None):
        return "nothing"
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    if get_origin(kind) is tuple:
        return f"a list, each {' and '.join(dict.fromkeys(_words(a) for a in arguments))}"
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return "one of " + ", ".join(map(repr, arguments))
    return " or ".join(_words(argument) for argument in arguments)


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _join(place: str, key: Any) -> str:
    key = str(key)[:LONGEST_KEY]
    return f"{place}.{key}" if place else key


def _one_line(error: UsageError) -> str:
    parts = [error.problem, error.expected and f"expected {error.expected}", error.fix]
    return "; ".join(part for part in parts if part)
