"""The number of threads follows what the container may use."""

import os
import runpy
from pathlib import Path

import pytest
import torch

import rungwise
from rungwise.training import threads
from rungwise.training.threads import (
    SMALLEST_SHARED_FLOPS,
    cpu_quota,
    respect_quota,
    suited_to,
)


def group(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_is_read_in_both_versions(
    files: dict[str, str], quota: int | None, tmp_path: Path
) -> None:
    assert cpu_quota(group(tmp_path, files)) == quota


@pytest.fixture
def three_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("quota", "used"), [(2, 2), (8, 3), (None, 3)])
def test_threads_are_taken_away_and_never_added(
    quota: int | None, used: int, three_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)

    respect_quota()

    assert torch.get_num_threads() == used


def test_what_the_user_set_is_left_alone(
    three_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads, "cpu_quota", lambda: 1)

    respect_quota()

    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(("flops", "used"), [(1.0, 1), (SMALLEST_SHARED_FLOPS, 3)])
def test_small_batches_have_one_thread_within_the_block(
    flops: float, used: int, three_threads: None
) -> None:
    with suited_to(flops):
        assert torch.get_num_threads() == used

    assert torch.get_num_threads() == 3


def test_the_threads_come_back_after_an_error(three_threads: None) -> None:
    with pytest.raises(ValueError, match="no"), suited_to(1.0):
        raise ValueError("no")

    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(
    ("given", "spins"),
    [
        ({}, "100"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_waiting_threads_soon_sleep_unless_the_user_says_otherwise(
    given: dict[str, str], spins: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(given))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    runpy.run_path(str(rungwise.__file__))
    assert os.environ.get("GOMP_SPINCOUNT") == spins


def test_many_waiting_threads_turn_longer_for_they_are_slow_to_wake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    runpy.run_path(str(rungwise.__file__))
    assert os.environ["GOMP_SPINCOUNT"] == "10000"
