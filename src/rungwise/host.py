"""What the program that calls us has switched for its threads, set aside while we compute.

PyTorch has two kinds of switches. Those of a thread (inference mode, gradients, autocast, the
default device) are set aside here, at each public entry. Those of the whole process (the default
dtype, deterministic algorithms) must not be touched, for other threads see them: nothing of ours
depends on them, as each tensor is created with a dtype (`tests/test_defaults.py`).
"""

import contextlib
from collections.abc import Iterator

import torch

from rungwise import forking

AUTOCAST = ("cpu", "cuda")


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Compute within the block as in a thread that has switched nothing; it decorates as well.

    In a forked process one thread works, for the parent's other threads are not there. The number
    of threads is afterwards what it was.
    """
    threads = torch.get_num_threads()
    with contextlib.ExitStack() as switches:
        switches.enter_context(torch.inference_mode(False))
        switches.enter_context(torch.enable_grad())
        for device in AUTOCAST:
            if torch.is_autocast_enabled(device):
                switches.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            switches.enter_context(torch.device("cpu"))
        if forking.lacks_threads():
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
