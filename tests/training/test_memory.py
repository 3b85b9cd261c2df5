import sys

import pytest

from rungwise.training.memory import keep_freed_memory


def test_calling_twice_does_no_harm() -> None:
    keep_freed_memory()
    keep_freed_memory()


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: object) -> None:
        pytest.fail("the C library was opened")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("rungwise.training.memory.ctypes.CDLL", fail)

    keep_freed_memory()
