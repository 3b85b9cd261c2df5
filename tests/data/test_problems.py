"""Tests of how problems are told."""

import json

from rungwise.data.problems import Problem, data_error, listed


def problem(text: str) -> Problem:
    return Problem(severity="error", kind="k", problem=text, expected=f"no {text}", fix="mend")


def test_the_first_few_are_named_and_the_rest_counted() -> None:
    assert listed([]) == ""
    assert listed("abcde") == "a, b, c, d, e"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"


def test_one_problem_keeps_its_words() -> None:
    assert str(data_error([problem("hole")])) == "hole\n  expected: no hole\n  fix: mend"


def test_several_problems_are_numbered() -> None:
    error = data_error([problem("hole"), problem("dent")])
    assert error.problem == "(1) hole; (2) dent"
    assert error.expected == "(1) no hole; (2) no dent"


def test_a_problem_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(problem("hole").to_dict()))["examples"] == []
