"""Signals, kills, full disks: what was done stays done."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.interfaces.cli.interrupts import Interrupts
from rungwise.training.checkpoint import read_tensors

TINY = ("train", "digits", "--recipe", "tiny.yaml", "--epochs", "4", "--json")
STEPS = 7
"""Steps in an epoch of the tiny recipe: 1294 images in batches of 200."""


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    return here


@contextlib.contextmanager
def at_step(number: int, act: Callable[[], None]) -> Iterator[None]:
    """Let something happen after so many steps of a training, before signals are looked at."""
    with pytest.MonkeyPatch.context() as patch:
        done, check = 0, Interrupts.check

        def counting(self: Interrupts) -> None:
            nonlocal done
            done += 1
            if done == number:
                act()
            check(self)

        patch.setattr(Interrupts, "check", counting)
        yield


def states() -> list[Path]:
    return list(Path("runs").rglob("last.safetensors"))


def weights(net: dict[str, Any]) -> dict[str, torch.Tensor]:
    return read_tensors(Path(net["run"]) / "model.safetensors")[0]


def require_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    ours, theirs = weights(found), weights(expected)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_saves_the_state_and_resuming_ends_in_the_same_weights(
    rungwise: Any, name: str, code: int
) -> None:
    with at_step(STEPS + 3, lambda: signal.raise_signal(signal.Signals[name])):
        stopped = rungwise(*TINY)

    assert (stopped.code, stopped.out) == (code, "")
    assert f"interrupted by {name}; what was done is saved" in stopped.err
    assert "--resume" in stopped.err
    assert len(states()) == 1
    resumed = rungwise(*TINY, "--resume")
    undisturbed = rungwise(*TINY, "--out", "undisturbed")
    assert resumed.code == 0
    require_same(resumed.json, undisturbed.json)
    assert not states()


def test_a_second_signal_does_not_wait_for_the_step_to_end(rungwise: Any) -> None:
    def press_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with at_step(STEPS + 3, press_twice):
        stopped = rungwise(*TINY, "--quiet")

    assert stopped == (130, "", "interrupted\n")


def test_an_unfinished_run_wants_a_decision(rungwise: Any) -> None:
    rungwise(*TINY, "--resume").fails(2, "there is nothing to resume", "leave --resume out")
    with at_step(3, lambda: signal.raise_signal(signal.SIGTERM)):
        rungwise(*TINY)

    rungwise(*TINY).fails(2, "an unfinished run is there already", "--resume", "--restart")
    rungwise(*TINY, "--resume", "--restart").fails(2, "exclude each other")
    assert len(states()) == 1
    restarted = rungwise(*TINY, "--restart")

    assert restarted.code == 0
    assert restarted.json["epochs"] == 4


def test_an_ensemble_goes_on_with_the_net_that_was_interrupted(rungwise: Any) -> None:
    both = (*TINY, "--set", "ensemble=[{count: 2}]")
    with at_step(4 * STEPS + 3, lambda: signal.raise_signal(signal.SIGTERM)):
        assert rungwise(*both).code == 143

    assert [state.parent.name for state in states()] == ["seed-0.1"]
    rungwise(*both).fails(2, "an unfinished run is there already", "seed-0.1")
    resumed = rungwise(*both, "--resume").json["nets"]
    undisturbed = rungwise(*both, "--out", "undisturbed").json["nets"]
    for found, expected in zip(resumed, undisturbed, strict=True):
        require_same(found, expected)


def test_an_interrupted_climb_goes_on_by_itself(rungwise: Any) -> None:
    words = ("climb", "digits", "--rungs", "dense", "cnn", "--seeds", "1", "--epochs", "1")
    with at_step(25, lambda: signal.raise_signal(signal.SIGTERM)):
        stopped = rungwise(*words, "--json")

    assert stopped.code == 143
    assert not Path("runs/ledger.jsonl").exists()
    done = rungwise(*words, "--json")
    undisturbed = rungwise(*words, "--json", "--out", "undisturbed")
    assert done.code == 0
    assert "dense, seed 0: trains" not in done.err
    accuracies = [
        [rung["test_accuracy"]["values"] for rung in result.json["rungs"]]
        for result in (done, undisturbed)
    ]
    assert accuracies[0] == accuracies[1]


def test_a_killed_training_resumes_to_the_same_weights(rungwise: Any) -> None:
    code = f"""
import os, signal
from rungwise.interfaces.cli.app import main
from rungwise.interfaces.cli.interrupts import Interrupts
from rungwise.ladder import job
job.SECONDS_BETWEEN_SAVES = 0.0
done = 0
def check(self):
    global done
    done += 1
    if done == 2 * {STEPS} + 3:
        os.kill(os.getpid(), signal.SIGKILL)
Interrupts.check = check
main()
"""
    killed = subprocess.run(
        [sys.executable, "-c", code, *TINY], capture_output=True, text=True, timeout=600
    )

    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")
    assert len(states()) == 1
    resumed = rungwise(*TINY, "--resume")
    assert [line.split()[0] for line in resumed.err.splitlines()[2:]] == ["3", "4"]
    require_same(resumed.json, rungwise(*TINY, "--out", "undisturbed").json)


def test_sigterm_ends_a_real_process_with_143_and_a_saved_state() -> None:
    words = ("train", "digits", "--recipe", "tiny.yaml", "--epochs", "100000", "--json")
    process = subprocess.Popen(
        [sys.executable, "-m", "rungwise", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.split()[0] == "1":
            break
    process.terminate()
    out, err = process.communicate(timeout=600)

    assert (process.returncode, out) == (143, "")
    assert "interrupted by SIGTERM" in err
    assert len(states()) == 1


def test_a_full_disk_loses_nothing_that_was_saved(rungwise: Any) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with at_step(STEPS + 3, lambda: signal.raise_signal(signal.SIGTERM)):
        rungwise(*TINY)
    saved = states()[0].read_bytes()

    try:
        # Python ignores SIGXFSZ, so that a longer write fails as it does on a full disk.
        fill = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))  # noqa: E731
        with at_step(1, fill):
            full = rungwise(*TINY, "--resume")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    full.fails(1, "model.safetensors was not written")
    assert states()[0].read_bytes() == saved
    assert not list(Path("runs").rglob("*.part"))
    undisturbed = rungwise(*TINY, "--out", "undisturbed")
    require_same(rungwise(*TINY, "--resume").json, undisturbed.json)


def test_a_run_whose_pictures_could_not_be_drawn_is_finished(
    rungwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rungwise.errors import StorageError
    from rungwise.report import pictures

    def refuse(*args: object) -> None:
        raise StorageError("the disk is full", expected="space", fix="free some")

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "curves", refuse)
        rungwise(*TINY, "--quiet").fails(1, "the disk is full")

    assert rungwise(*TINY).code == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    for words in ("show recipe compact", "list recipes"):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stdout:
            process = subprocess.run(
                [sys.executable, "-m", "rungwise", *words.split()],
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                timeout=600,
            )
        assert process.stderr == ""
