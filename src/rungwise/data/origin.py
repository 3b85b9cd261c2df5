"""Where a named set comes from: the contract that the sources of named sets fulfil."""

from pathlib import Path
from typing import Protocol

from rungwise.data.download import Download
from rungwise.data.images import LabelledImages


class Origin(Protocol):
    """Files of a known content in a known format."""

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Return the names of the files that `folder` lacks."""

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Return the files that `read` reads, where none is missing."""

    def downloads(self) -> tuple[Download, ...]:
        """Return what to fetch into a folder so that nothing is missing."""

    def read(
        self, folder: Path, class_names: tuple[str, ...]
    ) -> tuple[LabelledImages, LabelledImages]:
        """Return the training and the test images, verified.

        Raises:
            DataError: A file is damaged or has other content than the official one.
        """
