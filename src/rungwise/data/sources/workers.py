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
from collections.abc import Callable, Iterator
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
serve({memory!r})
"""
"""An empty package stands for `rungwise.data`, which would import torch into each process."""


_PACKAGE = [str(Path(__file__).parents[1])]


class Worker:
    """A process that calls functions; use as a context manager.

    One that dies, or cannot be started, is no error: nothing is received from it.

    Args:
        memory: How many bytes its data may take, where the system can limit that; None for any.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        code = _CODE.format(path=sys.path, package=_PACKAGE, memory=memory)
        with contextlib.suppress(OSError):  # no memory, no processes left, no interpreter's file
            self._process = subprocess.Popen(
                [sys.executable or "", "-c", code],
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

    def stream(self, function: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Any]:
        """Have a module's function called, and yield what it yields; at last None if it died."""
        self.call(function, *arguments)
        while item := self.answer():
            yield item[0]
        if item is None:
            yield None


def serve(memory: int | None = None) -> None:
    """Do what a worker's process does, until nobody is there to ask."""
    if memory is not None:
        _limit(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one.
    with contextlib.suppress(EOFError):
        while True:
            function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301
            found = function(*arguments)
            if isinstance(found, Iterator):
                for item in found:
                    _send([item])
                found = []
            _send(found)


def _send(value: Any) -> None:
    pickle.dump(value, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _limit(memory: int) -> None:
    """Let memory beyond a limit be refused, where the system has such limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (memory, most))
