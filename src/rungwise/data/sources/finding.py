r"""Files whose names a list spells in another way than the disk has them.

A table or a list that was written elsewhere may have backslashes between folders, blanks around
names, another case, another Unicode form, or no suffix. Such a name stands for a file if exactly
one fits.
"""

import os
import unicodedata
from pathlib import Path, PurePosixPath

from rungwise.data.names import printable
from rungwise.data.problems import Problem
from rungwise.data.sources.listing import Tally
from rungwise.data.sources.picture import SUFFIXES


class Finder:
    """Finds files by names that people or programs have written down.

    Args:
        folder: What the names are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, dict[str, list[str]]] = {}
        self.respelled = Tally()

    def find(self, name: str) -> str:
        """Return the name of the file that `name` means; `name` itself if not exactly one fits."""
        if os.path.lexists(self._at(name)):
            return name
        found = self._search(name)
        if found is None:
            return name
        self.respelled.add(f"{printable(name)} is {printable(found)}")
        return found

    def problem(self, source: Path | str) -> Problem:
        """Return what has to be said of the names in `source` that were found respelled."""
        return Problem(
            severity="note",
            kind="respelled",
            problem=f"{self.respelled.count} of the names in {source} are not spelled as the "
            f"files are: {self.respelled.told()}",
            expected="names as the disk has them",
            fix="nothing must be done: for each name there is exactly one file",
            count=self.respelled.count,
            examples=tuple(self.respelled.examples),
        )

    def _search(self, name: str) -> str | None:
        path = PurePosixPath(name.strip().replace("\\", "/"))
        place = ""
        for number, piece in enumerate(path.parts, 1):
            found = self._piece(place, piece, is_last=number == len(path.parts))
            if found is None:
                return None
            place = os.path.join(place, found)  # noqa: PTH118
        return place or None

    def _piece(self, place: str, piece: str, *, is_last: bool) -> str | None:
        """Return the one entry of the folder `place` that `piece` means."""
        if os.path.lexists(self._at(os.path.join(place, piece))):  # noqa: PTH118
            return piece
        if place not in self._entries:
            self._entries[place] = _by_key(self._at(place))
        fitting = self._entries[place].get(_key(piece), [])
        if not fitting and is_last:
            keys = (_key(piece) + suffix for suffix in SUFFIXES)
            fitting = [name for key in keys for name in self._entries[place].get(key, [])]
        return fitting[0] if len(fitting) == 1 else None

    def _at(self, name: str) -> str:
        return os.path.join(self._folder, name)  # noqa: PTH118


def _by_key(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder by what they are but for case, blanks and Unicode form."""
    found: dict[str, list[str]] = {}
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except (OSError, ValueError):  # no folder, or a name with a zero in it
        return found
    for name in names:
        found.setdefault(_key(name), []).append(name)
    return found


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()
