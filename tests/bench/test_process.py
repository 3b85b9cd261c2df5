"""Processes that stay resident, and that end."""

import os
import sys
from collections.abc import Callable

import pytest

from rungwise.bench.contestants import Contestant
from rungwise.bench.process import ContestantLost, Resident

ENVIRONMENT = """
import json, os
names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
print(json.dumps({"batch_size": 1, "threads": [os.environ[name] for name in names]}), flush=True)
input()
"""


def ended(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_interruption_ends_the_process(fake: Callable[..., Contestant]) -> None:
    command = fake("rungwise", 400, "__import__('time').sleep(600)").command("C-cnn")
    with pytest.raises(KeyboardInterrupt), Resident(command, 1) as resident:
        process_id = resident._process.pid
        assert not ended(process_id)
        raise KeyboardInterrupt

    assert ended(process_id)


def test_all_libraries_get_the_same_number_of_threads() -> None:
    with Resident((sys.executable, "-c", ENVIRONMENT), 3) as resident:
        assert resident.about["threads"] == ["3", "3", "3"]


def test_a_process_that_ends_without_a_word_tells_its_exit_code() -> None:
    with pytest.raises(ContestantLost, match="ended with 7"):
        Resident((sys.executable, "-c", "raise SystemExit(7)"), 1)
