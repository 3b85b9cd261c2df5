import copy
import pickle

import pytest

from rungwise import errors
from rungwise.errors import (
    ConfigError,
    DataError,
    Interrupted,
    RunError,
    RungwiseError,
    StorageError,
    UnknownNameError,
    UsageError,
    nearest,
)


def test_text_tells_problem_expectation_and_fix() -> None:
    error = ConfigError("lr is -1", expected="a number above 0", fix="use lr: 0.001")

    assert str(error) == "lr is -1\n  expected: a number above 0\n  fix: use lr: 0.001"


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(RungwiseError("it broke")) == "it broke"
    assert str(RungwiseError("it broke", fix="mend it")) == "it broke\n  fix: mend it"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RungwiseError, 1),
        (UsageError, 2),
        (ConfigError, 2),
        (DataError, 3),
        (RunError, 1),
        (StorageError, 1),
        (Interrupted, 130),
    ],
)
def test_every_kind_has_its_exit_code(kind: type[RungwiseError], code: int) -> None:
    assert kind("x").exit_code == code


def test_every_exception_of_the_module_is_ours() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]

    raised = [kind for kind in kinds if issubclass(kind, Exception) and kind is not errors.Note]
    assert all(issubclass(kind, RungwiseError) for kind in raised)
    assert issubclass(errors.Note, UserWarning)


def test_mistakes_in_a_call_are_value_errors() -> None:
    assert issubclass(UsageError, ValueError)
    assert UnknownNameError("model", "x", []).exit_code == 2


def test_an_unknown_name_lists_the_right_ones_in_order() -> None:
    error = UnknownNameError("model", "mpl", ["vgg", "mlp", "cnn"])

    assert error.problem == "unknown model 'mpl'"
    assert error.expected == "one of cnn, mlp, vgg"
    assert error.fix == "did you mean 'mlp'?"


def test_a_name_that_is_like_no_other_has_the_given_fix() -> None:
    error = UnknownNameError("model", "xyzzy", ["mlp"], fix="see the list")

    assert error.fix == "see the list"
    assert UnknownNameError("model", "x", []).expected == "no model is known here"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("optimiser", "optimizer"), ("SGD", "sgd"), ("Adamw", "AdamW"), ("q", None), ("", None)],
)
def test_nearest_name_is_found_whatever_its_case(name: str, expected: str | None) -> None:
    assert nearest(name, ["optimizer", "sgd", "AdamW"]) == expected


@pytest.mark.parametrize(
    "error",
    [
        DataError("no images", expected="some", fix="add them"),
        UnknownNameError("model", "mpl", ["mlp"]),
        Interrupted("stopped"),
    ],
)
def test_errors_survive_the_way_out_of_a_worker_process(error: RungwiseError) -> None:
    error.exit_code = 143

    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert (same.problem, same.fix, same.exit_code) == (error.problem, error.fix, 143)
