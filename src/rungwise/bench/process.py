"""A contestant's process: it stays resident and trains when it is its turn.

The two speak through the standard streams. Once ready the process prints a line of JSON that
describes it, with its `batch_size`. Then, for each line with a number of images, it trains on so
many and prints a line of JSON with the `seconds`, its `peak_memory` in bytes and, if it likes, the
speed of a matrix `product` in operations a second. It ends when its standard input does, so it
does not outlive the process that started it.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from rungwise.errors import RungwiseError


@dataclass(frozen=True)
class Turn:
    """One turn of a contestant.

    Args:
        images: Images that it trained on.
        seconds: How long that took.
        peak_memory: The most bytes that its process has held so far.
        product: Operations a second of a matrix product in its number format, timed straight after
            the turn; None from a contestant that does not tell.
    """

    images: int
    seconds: float
    peak_memory: int
    product: float | None = None

    @property
    def images_per_second(self) -> float:
        """Speed of the turn."""
        return self.images / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "images_per_second": self.images_per_second}


class ContestantLost(RungwiseError):
    """A contestant's process has ended, or answers what is no answer."""


class Resident:
    """A running contestant; use as a context manager, which ends the process.

    Args:
        command: What starts it.
        threads: Threads that it may compute with, whatever its library.

    Raises:
        ContestantLost: It ends before it is ready.
    """

    def __init__(self, command: Sequence[str], threads: int) -> None:
        # A file, not a pipe: nobody reads while the process works, and a full pipe would block it.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                env=thread_settings(threads),
            )
        except OSError as error:
            self._errors.close()
            raise ContestantLost(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            self.about = self._answer()
            self.batch_size = int(self.about["batch_size"])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Resident":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def train(self, images: int) -> Turn:
        """Let it train on so many images.

        Raises:
            ContestantLost: It ends instead.
        """
        stream = self._process.stdin
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.write(f"{images}\n")
                stream.flush()
        answer = self._answer()
        seconds, memory = float(answer["seconds"]), int(answer["peak_memory"])
        return Turn(images, seconds, memory, answer.get("product"))

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise ContestantLost(self._last_words())
        try:
            answer: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            raise ContestantLost(f"it answers {line.strip()!r}") from None
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().split("\n")
        return next(
            (line.strip() for line in reversed(lines) if line.strip()), f"ended with {code}"
        )


def thread_settings(threads: int) -> dict[str, str]:
    """Return this environment with what tells PyTorch and TensorFlow how many threads to use."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}
