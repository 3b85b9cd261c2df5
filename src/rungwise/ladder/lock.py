"""One process at a time works on a run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rungwise.errors import BusyError
from rungwise.storage import explaining_storage
from rungwise.training.seed import Seed


@contextlib.contextmanager
def holding(folder: Path, root: Path, key: str, seed: Seed) -> Iterator[None]:
    """Keep other processes from training or removing a run within the block.

    The lock is the system's: it is gone when its holder is, however that ended.

    Args:
        folder: The run's, for the message.
        root: The folder of all runs.
        key: The run's key.
        seed: The run's seed.

    Raises:
        BusyError: Another process holds it.
    """
    from filelock import FileLock, Timeout

    path = root / ".locks" / f"{key}-{seed}.lock"
    with explaining_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"another process is training {folder}",
                expected="one process at a time that works on a run",
                fix="wait until it is done, or stop it, and give the command again",
            ) from None
    try:
        yield
    finally:
        lock.release()
