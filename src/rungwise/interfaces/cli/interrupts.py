"""Ctrl-C and SIGTERM: a training finishes its step and saves; everything else just ends."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from rungwise.errors import Interrupted


class Interrupts:
    """Remembers a signal until somebody is at a safe place to act on it."""

    def __init__(self, how_to_go_on: str) -> None:
        self.received: int | None = None
        self._how_to_go_on = how_to_go_on

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
            fix=self._how_to_go_on,
        )
        error.exit_code = 128 + self.received
        raise error


@contextlib.contextmanager
def catching_interrupts(how_to_go_on: str) -> Iterator[Interrupts]:
    """Hold back SIGINT and SIGTERM within the block.

    Args:
        how_to_go_on: What the message tells the user to do.
    """
    interrupts = Interrupts(how_to_go_on)
    before = {
        number: signal.signal(number, interrupts.receive)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_at_ctrl_c() -> Iterator[None]:
    """End the process with the exit code 130 and one line if Ctrl-C is pressed within the block.

    An import that is interrupted may abort the process or fail with another error. So within an
    import the handler that was there before decides.

    Raises:
        SystemExit: It was pressed.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        if callable(before) and _is_importing(frame):
            before(number, frame)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    except BaseException as error:
        if not pressed and not isinstance(error, KeyboardInterrupt):
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, before)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
