"""`data check --strict`: warnings fail, too, for whoever checks data by a program."""

from pathlib import Path
from typing import Any

import pytest


def test_warnings_fail_only_where_it_is_asked_for(
    rungwise: Any, photos: Path, picture: Any
) -> None:
    picture(photos / "cat" / "copy.png", seed=10)  # the same as dog/0.png
    plain = rungwise("data", "check", photos)
    assert (plain.code, plain.err) == (0, "")
    strict = rungwise("data", "check", photos, "--strict")
    assert (strict.code, strict.out) == (3, plain.out)
    assert f"error: {photos} has 3 warnings\n" in strict.err
    assert "expected: data without errors or warnings" in strict.err
    told = rungwise("data", "check", photos, "--strict", "--json")
    assert (told.code, told.json["ok"]) == (3, True)


def test_errors_and_warnings_are_counted_together(rungwise: Any, photos: Path) -> None:
    (photos / "cat" / "bad.png").write_text("no image")
    result = rungwise("data", "check", photos, "--strict")
    assert result.code == 3
    assert "has 1 error and 1 warning\n" in result.err


@pytest.mark.parametrize("flag", [(), ("--strict",)])
def test_notes_do_not_fail(rungwise: Any, here: Path, flag: tuple[str, ...]) -> None:
    result = rungwise("data", "check", "digits", *flag)
    assert (result.code, result.err) == (0, "")
    assert "note: " in result.out
