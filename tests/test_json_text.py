"""JSON is read within limits, and held to its shape."""

import json
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest

from rungwise.json_text import Range, parse_json, parse_json_as


class Shape(TypedDict):
    name: str
    share: Annotated[float, Range(0, 1)]
    kind: NotRequired[Literal["a", "b"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 66 + "]" * 66, "nested more than 64 deep"),
        ("[" * 100_000, "nested more than 64 deep"),
        ("[" + ",".join("1" for _ in range(4_000_001)) + "]", "more than 4,000,000 values"),
        ('["' + "x" * 2**26 + '"]', "more than 67,108,864 bytes"),
        ("[" + "1" * 100_000 + "]", "digits"),
        (r'["\ud800"]', "half a character"),
        (r'{"\udfff": 1}', "half a character"),
        (b'["\xff"]', "decode"),
        (b'["\xed\xa0\x80"]', "decode"),
        ("{", "Expecting"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_exceeds_a_limit_is_refused(text: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_json(text)


@pytest.mark.parametrize("value", ["\U0001f431", "caf\udce9", "猫", {"a": [None, True, 1.5]}])
def test_what_json_writes_is_read(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"share": 0.5}, "name is missing"),
        ({"name": 1, "share": 0.5}, "name is not str"),
        ({"name": "x", "share": True}, "share is not float"),
        ({"name": "x", "share": 1.5}, "share is out of range"),
        ({"name": "x", "share": float("nan")}, "share is out of range"),
        ({"name": "x", "share": 1, "kind": "c"}, "kind is not one of 'a', 'b'"),
        ([], "is not dict"),
    ],
)
def test_the_first_place_that_does_not_fit_is_named(value: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_json_as(Shape, json.dumps(value))


def test_further_keys_are_kept() -> None:
    text = '{"name": "x", "share": 1, "later": [2]}'

    assert parse_json_as(Shape, text) == {"name": "x", "share": 1, "later": [2]}
