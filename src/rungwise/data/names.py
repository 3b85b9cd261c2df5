"""What images are called: their files, or places such as `train[17]`."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_JOINERS = frozenset("\u200c\u200d")
"""Parts of words in some scripts, and of emoji."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs without ink."""
_INKLESS = str.maketrans(
    dict.fromkeys(
        (
            *_JOINERS,
            *_BLANK,
            "\u034f",
            *map(chr, range(0x180B, 0x1810)),
            *map(chr, range(0xFE00, 0xFE10)),
            *map(chr, range(0xE0100, 0xE01F0)),
        )
    )
)
"""What joins, parts or varies letters and leaves no ink of its own."""


class FileNames:
    """Names in one block of bytes, so that only those that are asked for become strings.

    Args:
        block: uint8: each name as the file system has it, followed by a zero.
    """

    def __init__(self, block: NDArray[np.uint8]) -> None:
        self.block = np.asarray(block)  # not a mapping's own type, whose slices are slow

    @classmethod
    def of(cls, names: Iterable[str]) -> "FileNames":
        """Put names together; undecodable bytes in them, and so the files, stay what they are.

        >>> FileNames.of(["cat/a.png", "cat/b.png"])[1]
        'cat/b.png'
        """
        return cls(np.frombuffer(b"".join(map(stored, names)), np.uint8))

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.block == 0)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        """Return a name as it can be printed."""
        return printable(self.raw(row))

    def raw(self, row: int) -> str:
        """Return a name with which its file can be opened."""
        start = int(self._ends[row - 1]) + 1 if row else 0
        return os.fsdecode(self.block[start : self._ends[row]].tobytes())

    def all_raw(self) -> Iterator[str]:
        """Yield all names, as `raw` returns them."""
        return (self.raw(row) for row in range(len(self)))

    def kept(self, mask: NDArray[np.bool_]) -> "FileNames":
        """Return the names of the rows where `mask`, (N,), is true."""
        lengths = np.diff(self._ends, prepend=-1)
        return FileNames(self.block[np.repeat(mask, lengths)])


@dataclass(frozen=True)
class Numbered:
    """Names of images that come from no file: `train[17]`."""

    part: str

    def __getitem__(self, row: int) -> str:
        return f"{self.part}[{row}]"


@dataclass(frozen=True, eq=False)
class Names:
    """The names of N images, which are some rows of a list that others may share.

    Args:
        listed: The list.
        rows: (N,) int64, which of its names are meant; None for all of them in order.
    """

    listed: FileNames | Numbered
    rows: torch.Tensor | None = None

    def __getitem__(self, index: int) -> str:
        return self.listed[index if self.rows is None else int(self.rows[index])]

    def files(self) -> FileNames | None:
        """Return the names of these N images alone; None where they are no files."""
        if isinstance(self.listed, Numbered):
            return None
        if self.rows is None:
            return self.listed
        return FileNames.of(map(self.listed.raw, self.rows.tolist()))

    def take(self, indices: torch.Tensor) -> "Names":
        """Return the names at `indices`, in that order."""
        return Names(self.listed, indices if self.rows is None else self.rows[indices])


def stored(name: str) -> bytes:
    """Return a name as it stands in a block of names."""
    return name.encode(errors="surrogateescape").replace(b"\0", b"?") + b"\0"


def printable(name: str) -> str:
    r"""Return a name in which escapes stand for what cannot be seen.

    That is undecodable bytes, ends of lines and other control characters.

    >>> printable("caf\udce9\n\u732b.png")
    'caf\\xe9\\n猫.png'
    """
    text = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        c.encode("unicode_escape").decode()
        if (unicodedata.category(c) in _UNSEEN and c not in _JOINERS) or c in _BLANK
        else c
        for c in text
    )


def class_name(text: str) -> str:
    r"""Return what the class of a folder or a label is called: one name for all Unicode forms.

    >>> class_name("cafe\u0301") == class_name("caf\u00e9") == "café"
    True
    """
    return printable(unicodedata.normalize("NFC", text))


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that differ in nothing that a reader can rely on: groups of two or more.

    That is case, blanks, dashes, what has no ink, and the compatibility forms of Unicode. Names of
    one letter are another matter: sets of handwritten letters have both A and a.

    >>> look_alikes(["Cat", "dog", "cat", "A", "a"])
    [('Cat', 'cat')]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_look(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _look(name: str) -> str:
    inked = "".join("-" if unicodedata.category(c) == "Pd" else c for c in name)
    plain = unicodedata.normalize("NFKC", inked.translate(_INKLESS))
    folded = unicodedata.normalize("NFKC", plain.casefold()) if len(plain) > 1 else plain
    return " ".join(folded.split())


def shortened(name: str, most: int = 40) -> str:
    """Return a printable name of at most `most` characters, for a table or a figure.

    Of a longer one the start and the end are left.

    >>> shortened("a name of many letters", 12)
    'a name…tters'
    """
    kept, name = most - 1, printable(name)
    return name if len(name) <= most else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts `class10` after `class9`.

    >>> sorted(["class10", "class9", "Class1"], key=natural_key)
    ['Class1', 'class9', 'class10']
    """
    pieces = re.split(r"(\d+)", name.casefold())
    numbered = [
        (0, len(digits), digits) if (digits := _digits(piece)) else (1, 0, piece)
        for piece in pieces
        if piece
    ]
    return numbered, name


def _digits(piece: str) -> str:
    """Return the digits of a number of any script without leading zeros; of 0 one is left."""
    if not piece.isdecimal():
        return ""
    return "".join(str(unicodedata.decimal(digit)) for digit in piece).lstrip("0") or "0"
