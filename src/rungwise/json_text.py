"""JSON from files that anybody may have altered: read within limits, and checked for its shape.

Python's reader takes any depth until its stack is full, and any number of values until the memory
is. All records are read here, so that a damaged one is named and never half-believed.
"""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

MOST_BYTES = 2**26
MOST_VALUES = 4_000_000
MOST_DEPTH = 64

Shape = TypeVar("Shape")


class Range(NamedTuple):
    """The smallest and the largest number that is allowed, as in `Annotated[float, Range(0, 1)]`.

    NaN is in no range.
    """

    least: float
    most: float


Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0, 1e300)]
Count = Annotated[int, Range(0, 2**63)]


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is not JSON, or exceeds a limit of size, number of values or depth.

    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> parse_json("[" * 100 + "]" * 100)
    Traceback (most recent call last):
        ...
    ValueError: it is nested more than 64 deep
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    text = text if isinstance(text, str) else text.decode("utf-8-sig")
    _require_moderate(text)
    try:
        value = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    _require_flat(value)
    if "\\ud" in text or "\\uD" in text:
        _require_whole_characters(value)
    return value


def parse_json_as(shape: type[Shape], text: str | bytes) -> Shape:
    """Return the value of a JSON text, of which every part has the type that `shape` says.

    Args:
        shape: A `TypedDict`, or what is made of dict, list, Literal, unions, `Annotated` numbers
            and plain types. Keys that a `TypedDict` does not name are kept: a later version may
            have added them.
        text: The JSON.

    Raises:
        ValueError: The text is not JSON, exceeds a limit or has another shape.

    >>> parse_json_as(dict[str, list[int]], '{"a": [1, "2"]}')
    Traceback (most recent call last):
        ...
    ValueError: a.1 is not int
    """
    return shaped(shape, parse_json(text))


def shaped(shape: type[Shape], value: Any) -> Shape:
    """Return a value that JSON holds, if every part of it has the type that `shape` says.

    Raises:
        ValueError: It has another shape; names the first place.
    """
    for misfit in _misfits(shape, value, ()):
        raise ValueError(misfit)
    return cast(Shape, value)


def read_json(shape: type[Shape], path: Path) -> Shape:
    """Return the value of a JSON file; as `parse_json_as`.

    Raises:
        ValueError: The file is not JSON, exceeds a limit or has another shape.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return parse_json_as(shape, file.read(MOST_BYTES + 1))


def _require_moderate(text: str) -> None:
    """Refuse what would take much memory, before it is parsed: a value takes up to 100 bytes."""
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")


def _require_whole_characters(value: Any) -> None:
    """Refuse halves of characters, but those that stand for bytes of a file's name."""
    try:
        json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("it has half a character") from None


def _require_flat(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise _too_deep()


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {MOST_DEPTH} deep")


def _misfits(shape: Any, value: Any, place: tuple[object, ...]) -> Iterable[str]:
    """Yield a sentence on each place where a value is of another type than its shape says."""
    kind, arguments = get_origin(shape), get_args(shape)
    if shape is Any:
        return
    if is_typeddict(shape):
        yield from _wrong_keys(shape, value, place)
    elif kind is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misfits(arguments[0], item, (*place, index))
    elif kind is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _misfits(arguments[1], item, (*place, key))
    elif kind is Annotated:
        yield from _misfits(arguments[0], value, place)
        least, most = arguments[1]
        if _is_plain(float, value) and not least <= value <= most:
            yield f"{_told(place)} is out of range"
    elif kind in (Union, UnionType):
        if all(any(True for _ in _misfits(one, value, place)) for one in arguments):
            yield f"{_told(place)} is not {' or '.join(map(_name, arguments))}"
    elif kind is Literal:
        if not any(value == one and type(value) is type(one) for one in arguments):
            yield f"{_told(place)} is not one of {', '.join(map(repr, arguments))}"
    elif not _is_plain(kind or shape, value):
        yield f"{_told(place)} is not {_name(kind or shape)}"


def _wrong_keys(shape: Any, value: Any, place: tuple[object, ...]) -> Iterable[str]:
    if not isinstance(value, dict):
        yield f"{_told(place)} is not dict"
        return
    for key, kind in _hints(shape).items():
        if key in value:
            needed = get_args(kind)[0] if get_origin(kind) is NotRequired else kind
            yield from _misfits(needed, value[key], (*place, key))
        elif key in shape.__required_keys__:
            yield f"{_told((*place, key))} is missing"


@functools.cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape, include_extras=True)


def _is_plain(kind: Any, value: Any) -> bool:
    """Tell whether a value is of a plain type: a whole number is a float, but true is no number."""
    if kind is None:
        kind = NoneType
    kinds = (int, float) if kind is float else kind
    return isinstance(value, kinds) and (kind is bool or not isinstance(value, bool))


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _told(place: tuple[object, ...]) -> str:
    return ".".join(str(part)[:60] for part in place) or "the whole"
