"""Standard streams that are closed, full or left by their reader, and Ctrl-C while it starts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RUNGWISE = f"{sys.executable} -m rungwise"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )


@FULL
@pytest.mark.parametrize("verb", ["list recipes", "list recipes --json", "data check digits"])
def test_a_full_disk_behind_standard_output_is_an_error_of_ours(verb: str) -> None:
    done = shell(f"{RUNGWISE} {verb} > /dev/full")

    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device\n"
        "  expected: a terminal, a file or a program that takes the results\n"
        "  fix: free some space, or send the output elsewhere; what is stored stays stored\n"
    )


@pytest.mark.parametrize("closed", [">&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_does_not_keep_a_verb_from_its_work(closed: str, here: Path) -> None:
    done = shell(f"{RUNGWISE} train digits --recipe tiny.yaml --quiet {closed}")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(here.glob("runs/digits/*/seed-0/summary.json"))) == 1


@FULL
def test_messages_that_cannot_be_written_do_not_stop_a_training(here: Path) -> None:
    done = shell(f"{RUNGWISE} train digits --recipe tiny.yaml --json 2> /dev/full")

    assert done.returncode == 0
    assert json.loads(done.stdout)["epochs"] == 2


def test_a_reader_that_leaves_ends_the_verb_in_silence() -> None:
    done = shell(f"{RUNGWISE} list recipes --json | head -c 1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


def test_files_are_found_where_the_system_takes_names_for_ascii(tmp_path: Path) -> None:
    for name in ("\u732b", "\u72ac"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")

    plain = "env LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    done = shell(f"{plain} {RUNGWISE} data check {tmp_path}/photos --json")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["train"] == {"\u72ac": 10, "\u732b": 10}


AT_AN_IMPORT = """
import builtins, os, runpy, signal, sys
name, real = sys.argv.pop(1), builtins.__import__
def importing(wanted, *others, **named):
    found = real(wanted, *others, **named)
    if wanted == name:
        builtins.__import__ = real
        os.kill(os.getpid(), signal.SIGINT)
    return found
builtins.__import__ = importing
runpy.run_module("rungwise.__main__", run_name="__main__")
"""


@pytest.mark.parametrize(
    "module", ["rungwise.interfaces.cli", "cyclopts", "torch", "rungwise.report.pictures"]
)
def test_ctrl_c_while_a_verb_starts_ends_it_with_one_line(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", AT_AN_IMPORT, module, "data", "show", "digits"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
