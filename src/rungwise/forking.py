"""Whether this process was forked from one whose threads it does not have.

A fork copies a process with one of its threads alone. A library that had started others, such as
OpenMP's, goes on waiting for them in the child. PyTorch need not be imported to ask.
"""

import os
import sys

_parents_with_torch: list[int] = []


def lacks_threads() -> bool:
    """Return whether PyTorch was there before the fork that made this process."""
    return bool(_parents_with_torch)


def _note_fork() -> None:
    if "torch" in sys.modules:
        _parents_with_torch.append(os.getppid())


if hasattr(os, "register_at_fork"):  # There is no fork on Windows.
    os.register_at_fork(after_in_child=_note_fork)
