"""A process that calls functions for this one, at the other ends of two pipes.

`multiprocessing` would import the user's script anew in every process, and so run it again where
it is not guarded against that. Pickled messages go between this process and its own child only.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

_CODE = """
import sys, types
sys.path[:] = {path!r}
package = types.ModuleType("rungwise.data")
package.__path__ = {package!r}
sys.modules["rungwise.data"] = package
from rungwise.data.sources.workers import serve
serve()
"""
"""An empty package stands for `rungwise.data`, which would import torch into each process."""


_PACKAGE = [str(Path(__file__).parents[1])]


class Worker:
    """A process that calls functions; use as a context manager.

    One that dies, or cannot be started, is no error: nothing is received from it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):  # no memory, no processes left, no interpreter's file
            self._process = subprocess.Popen(
                [sys.executable or "", "-c", _CODE.format(path=sys.path, package=_PACKAGE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a module's function called; the answer to the call before must be received."""
        if self._process:
            requests = cast(IO[bytes], self._process.stdin)
            with contextlib.suppress(OSError):
                pickle.dump((function, arguments), requests)
                requests.flush()

    def answer(self) -> Any:
        """Wait for what the function returns; None from a process that is not there."""
        if not self._process:
            return None
        try:
            return pickle.load(cast(IO[bytes], self._process.stdout))  # noqa: S301
        except (OSError, EOFError, pickle.UnpicklingError):
            return None


def serve() -> None:
    """Do what a worker's process does, until nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one.
    with contextlib.suppress(EOFError):
        while True:
            function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301
            pickle.dump(function(*arguments), sys.stdout.buffer)
            sys.stdout.buffer.flush()
