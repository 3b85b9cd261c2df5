"""One process at a time works on a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from rungwise.errors import BusyError, StorageError
from rungwise.ladder.lock import holding
from rungwise.training.seed import Seed

HOLD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from rungwise.ladder.lock import holding
from rungwise.training.seed import Seed

with holding(Path("run"), Path(sys.argv[1]), "0123456789", Seed(0)):
    print("held", flush=True)
    time.sleep(600)
"""


def hold(root: Path, key: str = "0123456789", seed: str = "0") -> None:
    with holding(root / "digits" / "run", root, key, Seed.parse(seed)):
        pass


def test_who_comes_second_is_told_which_run_is_held_until_it_is_free(tmp_path: Path) -> None:
    with (
        holding(tmp_path / "digits" / "run", tmp_path, "0123456789", Seed(0)),
        pytest.raises(BusyError, match=r"another process is training .*digits/run"),
    ):
        hold(tmp_path)

    hold(tmp_path)


def test_other_runs_are_free(tmp_path: Path) -> None:
    with holding(tmp_path, tmp_path, "0123456789", Seed(0)):
        hold(tmp_path, seed="1")
        hold(tmp_path, seed="0.1")
        hold(tmp_path, key="abcdefabcd")


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="on purpose"),
        holding(tmp_path, tmp_path, "0123456789", Seed(0)),
    ):
        raise ValueError("on purpose")

    hold(tmp_path)


def test_a_killed_process_leaves_the_run_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(BusyError):
                hold(tmp_path)
        finally:
            other.kill()

    hold(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")

    with pytest.raises(StorageError, match=r"runs.\.locks"):
        hold(tmp_path / "runs")
