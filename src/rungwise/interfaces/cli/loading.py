"""What a user sees of loading data: how far it is, and what has to be known before a training."""

import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rungwise.data import Dataset
    from rungwise.training.recipe import Recipe

SECONDS_BEFORE_BAR = 1.0
SECONDS_BETWEEN_LINES = 10.0


class LoadingBar:
    """Shows on stderr how many images were read or compared, if that takes long.

    A bar on a terminal, now and then a line elsewhere, nothing when quiet. Use as a context
    manager, and give it to `load` as `progress`.
    """

    def __init__(self, quiet: bool, doing: str = "reading image files") -> None:
        self._quiet, self._doing = quiet, doing
        self._shown = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "LoadingBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` files were read, or images compared."""
        if self._quiet:
            return
        waited = time.monotonic() - self._shown
        if not sys.stderr.isatty():
            if waited > SECONDS_BETWEEN_LINES:
                self._shown = time.monotonic()
                print(f"{self._doing}: {done:,} of {total:,}", file=sys.stderr)
        elif self._bar and self._task is not None:
            self._bar.update(self._task, completed=done)
        elif waited > SECONDS_BEFORE_BAR:
            self._start(done, total)

    def _start(self, done: int, total: int) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress

        columns = (*Progress.get_default_columns(), MofNCompleteColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._doing, completed=done, total=total)
        self._bar.start()


def tell_notes(dataset: "Dataset") -> None:
    """Tell on stderr what has to be known of a loaded set: files left out, images enlarged."""
    for note in dataset.notes:
        print(f"note: {note}", file=sys.stderr)


def warn_of_mirroring(recipes: "Iterable[Recipe]", dataset: "Dataset") -> None:
    """Tell on stderr if recipes mirror images that look like other classes in a mirror."""
    from rungwise.interfaces.mirroring import mirroring_warning

    warning = mirroring_warning(recipes, dataset.train)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
