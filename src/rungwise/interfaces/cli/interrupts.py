"""Ctrl-C and SIGTERM: finish the step, save, then stop."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from rungwise.errors import Interrupted


class Interrupts:
    """Remembers a signal until somebody is at a safe place to act on it."""

    def __init__(self) -> None:
        self.received: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note the signal; a second one interrupts at once."""
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.received is None:
            return
        error = Interrupted(
            f"interrupted by {signal.Signals(self.received).name}; what was done is saved",
            fix="run the same command with --resume (a climb goes on by itself)",
        )
        error.exit_code = 128 + self.received
        raise error


@contextlib.contextmanager
def catching_interrupts() -> Iterator[Interrupts]:
    """Hold back SIGINT and SIGTERM within the block."""
    interrupts = Interrupts()
    before = {
        number: signal.signal(number, interrupts.receive)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
