"""`python -m rungwise` and the script `rungwise`; Ctrl-C ends them from the first line on."""

import contextlib
import os
import signal
from types import FrameType


def stop(number: int, frame: FrameType | None) -> None:
    """End the process at once: while it starts and ends, it has nothing to lose."""
    with contextlib.suppress(OSError):  # standard error is closed
        os.write(2, b"interrupted\n")
    os._exit(128 + number)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, stop)
    from rungwise.interfaces.cli import app

    try:
        app.main()
    except SystemExit as end:
        if end.code == 130:  # Python may end as if the signal had killed it.
            os._exit(130)
        raise


if __name__ == "__main__":
    main()
