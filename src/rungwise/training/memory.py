"""The C library's allocator, told to keep what a training step frees for the next step."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in glibc's malloc.h."""
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let large activations be reused instead of being returned to the kernel after each use.

    By default glibc maps every block of more than 32 MiB anew, and the kernel fills each page with
    zeros again: half of the step of a net with a large batch (docs/log.md). Only on Linux with
    glibc; elsewhere nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_TRIM_THRESHOLD, _LARGEST)
