"""Progress on stderr: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rungwise.techniques import EpochRecord
from rungwise.training.loop import Progress as Step

EPOCH_HEADER = "epoch  train_loss  train_acc  val_loss  val_acc        lr  seconds"


class Watch:
    """Shows what is going on; use as a context manager."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Watch":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def line(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, soft_wrap=True, markup=False)

    def training_bar(self, name: str, step: Step, epochs: int) -> None:
        """Move the bar, where there is one, to where a training of so many epochs is."""
        self._progress.update(
            self._task,
            description=f"{name}epoch {step.epoch} of {epochs}",
            completed=step.steps_done,
            total=step.steps_in_all,
        )


def epoch_line(record: EpochRecord) -> str:
    """Return one epoch's figures under `EPOCH_HEADER`; a dash where nothing was held out."""
    val_loss = f"{record.val_loss:8.4f}" if record.val_loss is not None else f"{'-':>8}"
    val_acc = f"{record.val_acc:7.4f}" if record.val_acc is not None else f"{'-':>7}"
    return (
        f"{record.epoch:5d}  {record.train_loss:10.4f}  {record.train_acc:9.4f}  {val_loss}  "
        f"{val_acc}  {record.lr:8.2g}  {record.seconds:7.1f}"
    )


class Clock:
    """Lets something happen at most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def rings(self) -> bool:
        """Tell whether the time has passed, and if so start it anew."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
