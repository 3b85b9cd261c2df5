"""Pictures named on the command line: files, folders, patterns, standard input, lists of files."""

import codecs
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rungwise.errors import DataError, UsageError

STANDARD_INPUT = "-"
MOST_BYTES = 2**28
"""Of one image on standard input."""


class Named(NamedTuple):
    """A picture, by the name that a user gave it."""

    name: str
    content: Path | bytes


def require_pictures(images: list[str], files_from: str | None) -> None:
    """Check the names themselves, before anything is opened.

    Raises:
        UsageError: Nothing is named, a name is an unknown option, or standard input is to be read
            twice or is a terminal.
    """
    for name in images:
        if name.startswith("-") and name != STANDARD_INPUT and not os.path.lexists(name):
            raise UsageError(
                f"unknown option {name}",
                expected="an option of `rungwise predict`",
                fix=f"`rungwise predict --help` shows them; write a file of that name as ./{name}",
            )
    if not images and files_from is None:
        raise UsageError(
            "no image is named",
            expected="image files, folders, patterns such as 'photos/*.png', or - for an image on "
            "standard input",
            fix="name them after the run, or in a file for --files-from",
        )
    uses = [*images, files_from].count(STANDARD_INPUT)
    if uses > 1:
        raise UsageError(
            "standard input is named more than once",
            expected="- once: for one image, or for --files-from",
            fix="put the image or the list into a file",
        )
    if uses and sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal",
            expected="an image or a list of files from a pipe or a file",
            fix="such as: cat image.png | rungwise predict RUN -",
        )


def named_pictures(images: list[str], files_from: str | None) -> Iterator[Named | DataError]:
    """Yield the pictures one by one, and an error for each name that names none."""
    for text in images:
        if text == STANDARD_INPUT:
            yield from _on_standard_input()
        else:
            yield from _named(text)
    if files_from is not None:
        yield from _listed(files_from)


def _on_standard_input() -> Iterator[Named | DataError]:
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    if not content:
        yield DataError(
            "standard input is empty",
            expected="what an image file holds",
            fix="such as: cat image.png | rungwise predict RUN -",
        )
    elif len(content) > MOST_BYTES:
        yield DataError(
            f"standard input holds more than {MOST_BYTES:,} bytes",
            expected="what one image file holds",
            fix="put the images into files and name those",
        )
    else:
        yield Named(STANDARD_INPUT, content)


def _named(text: str) -> Iterator[Named | DataError]:
    """Yield what an argument names: a file, the images in a folder, or what fits a pattern."""
    import glob

    from rungwise.data.content import explaining_reads
    from rungwise.data.names import printable

    try:
        with explaining_reads(Path(text)):
            there = Path(text).exists()
    except DataError as error:
        yield error
        return
    matches = [text] if there else sorted(glob.glob(text, recursive=True))  # noqa: PTH207
    found: Iterator[Named | DataError] = itertools.chain.from_iterable(
        _at(Path(match)) for match in matches
    )
    if len(matches) > 1:  # `**` matches a folder and what lies in it: each file counts once
        found = iter(dict.fromkeys(found))
    first = next(found, None)
    if first is None:
        yield DataError(
            f"{printable(text)} names no image",
            expected="a file, a pattern, or a folder with image files such as .png",
            fix="check the path",
        )
        return
    yield first
    yield from found


def _at(path: Path) -> Iterator[Named | DataError]:
    """Yield a file, or the image files below a folder."""
    from rungwise.data.content import explaining_reads
    from rungwise.data.sources.layout import pictures_below

    try:
        with explaining_reads(path):
            is_folder = path.is_dir()
    except DataError as error:
        yield error
        return
    for one in pictures_below(path) if is_folder else (path,):
        yield Named(str(one), one) if isinstance(one, Path) else one


def _listed(files_from: str) -> Iterator[Named | DataError]:
    """Yield the files of a list: one a line, or each ended by a zero byte, as `find -print0`.

    A line that is spelled in another way than its file is found all the same if one file fits.
    """
    from rungwise.data.content import explaining_reads
    from rungwise.data.sources.finding import Finder

    what = "standard input" if files_from == STANDARD_INPUT else files_from
    try:
        with explaining_reads(Path(files_from)):
            if files_from == STANDARD_INPUT:
                content = sys.stdin.buffer.read()
            else:
                content = Path(files_from).read_bytes()
    except DataError as error:
        yield error
        return
    names = _names_in(content)
    if not names:
        yield DataError(
            f"{what} names no file",
            expected="one path a line",
            fix="such as: find photos -name '*.png' | rungwise predict RUN --files-from -",
        )
    finder = Finder(Path())
    for name in names:
        yield from _at(Path(finder.find(name)))
    if finder.respelled.count:
        print(f"note: {finder.problem(what).problem}", file=sys.stderr)


def _names_in(content: bytes) -> list[str]:
    """Return the names in a list, which PowerShell writes in UTF-16, others with a BOM."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    lines = content.split(b"\0" if b"\0" in content else b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines if line.strip()]
