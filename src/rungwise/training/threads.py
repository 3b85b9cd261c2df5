"""How many threads may work: a container's share of the processor, not the machine's cores."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch

SMALLEST_SHARED_FLOPS = 1e9
"""Forward operations of a batch below which one thread works alone (decision 36).

The limit depends on nothing but the net and its batch, because the number of threads changes the
order of sums and with it the weights. At rest, a second thread makes nets below it at most 1.5
times as fast. Beside other programs it makes them slower and costs twice the processor time or
more: threads wait for one another between operations of microseconds.
"""
CGROUP = Path("/sys/fs/cgroup")


def respect_quota() -> None:
    """Let torch use no more threads than the container may run at once.

    Torch counts the machine's cores. In a container that is given two of sixty-four, sixty-four
    threads wait for one another most of the time. What `OMP_NUM_THREADS` says is left alone.
    """
    quota = cpu_quota()
    if quota and "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > quota:
        torch.set_num_threads(quota)


@contextlib.contextmanager
def suited_to(batch_flops: float) -> Iterator[None]:
    """Let one thread alone work within the block on batches too small for several.

    Args:
        batch_flops: Floating-point operations of one batch forward.
    """
    before = torch.get_num_threads()
    if before == 1 or batch_flops >= SMALLEST_SHARED_FLOPS:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_quota(root: Path = CGROUP) -> int | None:
    """Return the processors that the container may use, rounded up; None without a limit.

    Args:
        root: Where the control groups are mounted; versions 1 and 2 are understood.
    """
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" stands for no limit.
        return None
    return max(1, math.ceil(share)) if share > 0 else None
