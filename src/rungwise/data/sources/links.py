"""Symbolic links in an image folder: followed, and told where they leave it or lead nowhere."""

import os
from collections.abc import Iterator
from pathlib import Path

from rungwise.data.names import printable
from rungwise.data.problems import LONG_EXAMPLES, Problem
from rungwise.data.sources.listing import Tally


class Links:
    """Where the links of one folder lead.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = Path(os.path.realpath(root))
        self._outside, self._broken = Tally(LONG_EXAMPLES), Tally(LONG_EXAMPLES)

    def note(self, entry: os.DirEntry[str], *, told_elsewhere: bool = False) -> None:
        """Note an entry if it is a link.

        Args:
            entry: What lies in the folder.
            told_elsewhere: A link that leads nowhere is noted by who opens it.
        """
        if not entry.is_symlink():
            return
        name = printable(os.path.relpath(entry.path, self._root))
        if not os.path.exists(entry.path) or self.leads_back(entry):  # noqa: PTH110
            if not told_elsewhere:
                self._broken.add(name)
        elif not self._target(entry).is_relative_to(self._home):
            self._outside.add(name)

    def leads_back(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry is a link to a folder that holds it, or that holds the root."""
        if not entry.is_symlink():
            return False
        target, here = self._target(entry), Path(os.path.realpath(os.path.dirname(entry.path)))  # noqa: PTH120
        return self._home.is_relative_to(target) or here.is_relative_to(target)

    def problems(self) -> Iterator[Problem]:
        """Yield what there is to tell."""
        if self._outside.count:
            yield Problem(
                severity="warning",
                kind="outside_link",
                problem=f"{self._outside.count} links of {self._root} lead out of it: "
                f"{self._outside.told()}",
                expected="images that lie in the folder, which can be copied as a whole",
                fix="put copies in their places, unless the links are meant",
                count=self._outside.count,
                examples=tuple(self._outside.examples),
            )
        if self._broken.count:
            yield Problem(
                severity="warning",
                kind="broken_link",
                problem=f"{self._broken.count} links of {self._root} lead nowhere, or back to "
                f"where they came from: {self._broken.told()}",
                expected="links to files or folders that are there",
                fix="remove these links, or mend them",
                count=self._broken.count,
                examples=tuple(self._broken.examples),
            )

    def _target(self, entry: os.DirEntry[str]) -> Path:
        return Path(os.path.realpath(entry.path))
