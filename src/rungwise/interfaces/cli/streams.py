"""Standard input, output and error where they are closed, full, or a pipe without a reader.

Results on standard output matter: that they cannot be written is an error. Messages on standard
error do not stop the work that they are about.
"""

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from rungwise.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Results(io.FileIO):
    """Standard output. After the first write that fails, what is still buffered is dropped."""

    _lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self._lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._lost = True
            raise
        except OSError as error:
            self._lost = True
            raise StorageError(
                f"standard output cannot be written: {error.strerror or error}",
                expected="a terminal, a file or a program that takes the results",
                fix="free some space, or send the output elsewhere; what is stored stays stored",
            ) from error


class _Messages(io.FileIO):
    """Standard error: what cannot be written is dropped."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Make the standard streams such that a verb may use them, whatever the caller did to them.

    What the terminal cannot show, such as an undecodable file name, is escaped, also in JSON.
    """
    for number in range(3):
        _require_open(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  (it stays open, as any standard stream)
    # Where something else stands in a stream's place, as in a notebook or a test, it stays.
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Results(1, "w", closefd=False), sys.stdout)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Messages(2, "w", closefd=False), sys.stderr)


def _require_open(number: int) -> None:
    """Open the null device in the place of a closed stream, before a file is opened there."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)  # the system takes the least number that is free
        os.set_inheritable(opened, True)


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """Return a text stream as Python's own for the same file: lines at once where they are seen."""
    if before is not None:
        before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.fileno() == 2 or raw.isatty(),
    )
