"""Three readings of one ladder: ladders that measure the same techniques otherwise.

    cumulative      each rung on its base: the ladder as it is
    add-one         each rung's step alone on the first rung
    leave-one-out   the top rung without each step

A rung's step is the difference between its base's recipe and its own. It is carried onto another
recipe as a commit is picked onto, or reverted on, another branch.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from rungwise.errors import ConfigError, UnknownNameError
from rungwise.ladder.rung import Ladder, Reading, Rung
from rungwise.training.recipe import Recipe

NAMES: dict[type, str] = {
    kind: name
    for item in dataclasses.fields(Recipe)
    for name, kind in item.metadata.get("registry", {}).items()
}
"""The name of each component's class, as recipes write it."""


class ReadLadder(NamedTuple):
    """A ladder in one of its readings.

    Args:
        ladder: Ready to climb.
        unread: For each rung that cannot be read so a sentence that names it and says why.
    """

    ladder: Ladder
    unread: tuple[str, ...]


def read(ladder: Ladder, reading: Reading) -> ReadLadder:
    """Return the ladder in a reading.

    A technique may be worth much alone and little on top of the others; a climb of each reading
    tells. Where a recipe equals another's, its runs are found, not trained again.

    Args:
        ladder: As its author wrote it.
        reading: What each rung is to stand on.

    Raises:
        UnknownNameError: There is no such reading.
    """
    if reading not in READERS:
        raise UnknownNameError("reading", reading, READERS)
    return READERS[reading](ladder)


def _read_cumulative(ladder: Ladder) -> ReadLadder:
    return ReadLadder(ladder, ())


def _read_add_one(ladder: Ladder) -> ReadLadder:
    first, *others = ladder.rungs
    rungs, unread = _read_each(others, partial(_alone, ladder))
    title = f"{ladder.title}; add-one: each change alone on {first.name}"
    changed = replace(ladder, title=title, rungs=(first, *rungs), reading="add-one")
    return ReadLadder(changed, unread)


def _read_leave_one_out(ladder: Ladder) -> ReadLadder:
    path = _path(ladder)
    top = replace(path[-1], base=None, change="all changes together")
    others = [rung for rung in ladder.rungs if rung.name != path[0].name]
    rungs, unread = _read_each(others, partial(_without, ladder, path))
    title = f"{ladder.title}; leave-one-out: {top.name} without each change"
    changed = replace(ladder, title=title, rungs=(top, *rungs), reading="leave-one-out")
    return ReadLadder(changed, unread)


READERS: dict[Reading, Callable[[Ladder], ReadLadder]] = {
    "cumulative": _read_cumulative,
    "add-one": _read_add_one,
    "leave-one-out": _read_leave_one_out,
}


def _read_each(
    rungs: Iterable[Rung], read_one: Callable[[Rung], Rung]
) -> tuple[list[Rung], tuple[str, ...]]:
    """Return the rungs that can be read, and of each other one why it cannot."""
    readable, unread = [], []
    for rung in rungs:
        try:
            readable.append(read_one(rung))
        except ConfigError as error:
            unread.append(f"{rung.name}: {error.problem}")
    return readable, tuple(unread)


def _alone(ladder: Ladder, rung: Rung) -> Rung:
    """Return the rung with its step alone on the first rung, or on its control that stands there.

    Raises:
        ConfigError: The step cannot be added there, or changes nothing.
    """
    if rung.base is None:
        return _require_first(ladder, rung)
    base = ladder.rung(rung.base)
    onto = _ground(ladder, base)
    try:
        recipe = carry(base.recipe, rung.recipe, onto.recipe, rung.name)
    except ConfigError as error:
        raise ConfigError(f"on {onto.name}, {error.problem}") from error
    _require_effect(recipe, onto)
    return replace(rung, recipe=recipe, base=onto.name, reference=_reference(ladder, recipe))


def _ground(ladder: Ladder, base: Rung) -> Rung:
    """Return what a rung of that base is added to: the first rung, or its control there."""
    if not base.control:
        return ladder.rungs[0]
    try:
        return _alone(ladder, base)
    except ConfigError as error:
        raise ConfigError(f"its control {base.name} cannot be read so") from error


def _require_first(ladder: Ladder, rung: Rung) -> Rung:
    if rung.name != ladder.rungs[0].name:
        raise ConfigError("it has no base that it could be a step from")
    return rung


def _path(ladder: Ladder) -> list[Rung]:
    """Return the rungs that lead to the top, which is the last rung that is no control."""
    techniques = [rung for rung in ladder.rungs if not rung.control]
    path = [(techniques or ladder.rungs)[-1]]
    while path[0].base is not None:
        path.insert(0, ladder.rung(path[0].base))
    return path


def _without(ladder: Ladder, path: Sequence[Rung], rung: Rung) -> Rung:
    """Return the top of the path without the rung's step.

    A control is left out together with the rung whose cause it isolates.

    Raises:
        ConfigError: The step is no part of the top, or cannot be taken out of it.
    """
    top, start = path[-1], _place_on(path, rung)
    end = next((i for i in range(start, len(path)) if not path[i].control), start)
    undo = partial(
        carry,
        path[end].recipe,
        path[start - 1].recipe,
        name=f"without-{rung.name}",
        only_if_unchanged=True,
    )
    try:
        recipe = undo(top.recipe)
    except ConfigError as error:
        raise ConfigError(_obstacle(path[end + 1 :], undo)) from error
    _require_effect(recipe, top)
    return Rung(
        recipe=recipe,
        change="; ".join(_opposite(one.change) for one in path[start : end + 1]),
        base=top.name,
        reference=_reference(ladder, recipe),
        left_out=True,
    )


def _place_on(path: Sequence[Rung], rung: Rung) -> int:
    names = [one.name for one in path]
    if rung.name not in names:
        raise ConfigError(f"it is no part of {path[-1].name}")
    return names.index(rung.name)


def _obstacle(above: Sequence[Rung], undo: Callable[[Recipe], Recipe]) -> str:
    """Say which rung is the first from which on a step cannot be undone, and why."""
    told = ""
    for rung in reversed(above):
        try:
            undo(rung.recipe)
        except ClashError as error:
            told = f"{rung.name} changes {error.place} again"
        except ConfigError as error:
            told = f"{rung.name} needs it; without it, {error.problem}"
        else:
            break
    return told


def _require_effect(recipe: Recipe, onto: Rung) -> None:
    if recipe == replace(onto.recipe, name=recipe.name):
        raise ConfigError(f"it changes nothing in {onto.name}")


def _reference(ladder: Ladder, recipe: Recipe) -> float | None:
    """Return the article's accuracy of this very recipe, under whatever name, if it gives one."""
    same = (rung for rung in ladder.rungs if replace(rung.recipe, name=recipe.name) == recipe)
    return next((rung.reference for rung in same), None)


def _opposite(change: str) -> str:
    """Say that a change is taken back.

    >>> [_opposite(change) for change in ("+ a layer", "- both dropouts", "mean of 3 nets")]
    ['- a layer', '+ both dropouts', '- mean of 3 nets']
    """
    if change.startswith("- "):
        return f"+ {change.removeprefix('- ')}"
    return f"- {change.removeprefix('+ ')}"


class ClashError(ConfigError):
    """A step does not find what it changes.

    Args:
        place: What it changes, as in `--set`: `model.conv_widths`, `augment.affine`.
        problem: As for every error of ours.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(problem)
        self.place = place


def carry(
    before: Recipe, after: Recipe, onto: Recipe, name: str, *, only_if_unchanged: bool = False
) -> Recipe:
    """Return `onto` with the settings that differ from `before` to `after` set as in `after`.

    The comparison goes into components of the same name, and into lists component by component.

    Args:
        before: Where the step starts.
        after: Where it ends.
        onto: The recipe to change.
        name: The new recipe's name; names are no part of a step.
        only_if_unchanged: Whether `onto` has to hold the values of `before` at those settings.

    Raises:
        ClashError: `onto` lacks a component whose setting is changed, or holds another value.
        ConfigError: The new recipe fails its own checks.
    """
    renamed = _Three(*(replace(recipe, name=name) for recipe in (before, after, onto)))
    recipe: Recipe = _carried(renamed, "", only_if_unchanged)
    return recipe


class _Three(NamedTuple):
    """What stands at one place of the three recipes; None where there is nothing."""

    before: Any
    after: Any
    onto: Any


def _carried(three: _Three, place: str, strict: bool) -> Any:
    before, after, onto = three
    if before == after:
        return onto
    if _lists_components(before) and _lists_components(after):
        return _carried_list(three, place, strict)
    if dataclasses.is_dataclass(after) and type(before) is type(after):
        return _carried_settings(three, place, strict)
    if strict:
        _require_same(before, onto, place)
    return after


def _lists_components(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(dataclasses.is_dataclass, value))


def _carried_settings(three: _Three, place: str, strict: bool) -> Any:
    before, after, onto = three
    names = [item.name for item in dataclasses.fields(after)]
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    if type(onto) is not type(after):
        settings = " and ".join(changed)
        raise ClashError(place, f"there is no {_name(after)} whose {settings} it could change")
    values = {
        name: _carried(
            _Three(*(getattr(value, name) for value in three)),
            f"{place}.{name}" if place else name,
            strict,
        )
        for name in changed
    }
    return replace(onto, **values)


def _carried_list(three: _Three, place: str, strict: bool) -> Any:
    old, new = _numbered(three.before), _numbered(three.after)
    reordered = [key for key in old if key in new] != [key for key in new if key in old]
    if reordered or not _lists_components(three.onto):
        _require_same(three.before, three.onto, place)
        return three.after
    there = _numbered(three.onto)
    for key, component in (old | new).items():
        values = _Three(old.get(key), new.get(key), there.get(key))
        value = _carried(values, f"{place}.{_name(component)}", strict)
        there = _with(there, key, value, list(new))
    return tuple(there.values())


Key = tuple[type, int]
"""A component's class, and how many of its class stand before it in the list."""


def _numbered(components: Sequence[Any]) -> dict[Key, Any]:
    kinds = [type(component) for component in components]
    return {
        (kind, kinds[:index].count(kind)): components[index] for index, kind in enumerate(kinds)
    }


def _with(there: dict[Key, Any], key: Key, value: Any, order: list[Key]) -> dict[Key, Any]:
    """Return the components with one set, dropped (None), or put before those that follow it."""
    if value is None:
        return {other: there[other] for other in there if other != key}
    if key in there:
        return {**there, key: value}
    followers = order[order.index(key) + 1 :]
    index = next((i for i, other in enumerate(there) if other in followers), len(there))
    items = list(there.items())
    return dict([*items[:index], (key, value), *items[index:]])


def _require_same(before: Any, onto: Any, place: str) -> None:
    if before != onto:
        raise ClashError(place, f"{place} is not as its base has it")


def _name(component: Any) -> str:
    return NAMES.get(type(component), type(component).__name__.lower())
