"""Which files of an image folder belong to which part and class, before any is opened.

    split:  train/<class>/x.png, and if you like val|valid|validation/<class>/…, test/<class>/…
    flat:   <class>/x.png

Hidden files and folders, `__MACOSX` and `Thumbs.db` do not exist for us. Classes are the folders of
the training part, in natural order: `class10` comes after `class9`. Only files with an image
suffix directly inside a class folder count. Links are followed; those that leave the folder or
lead nowhere are told.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rungwise.data.content import explaining_reads
from rungwise.data.names import FileNames, natural_key, printable
from rungwise.data.problems import Problem, listed
from rungwise.data.sources.links import Links
from rungwise.data.sources.listing import (
    PART_NAMES,
    PARTS,
    ListedImages,
    Listing,
    Tally,
    empty_classes,
    files_under,
    single_class,
    unknown_classes,
)
from rungwise.data.sources.picture import SUFFIXES
from rungwise.errors import DataError

Entry = os.DirEntry[str]

_NOT_DATA = frozenset(("__macosx", "thumbs.db", "desktop.ini"))
_EXPECTED = (
    "train/<class>/<image files> with val/ and test/ beside train/, or <class>/<image files>"
)


def read_layout(root: Path) -> Listing:
    """Find the parts, classes and files of an image folder.

    Raises:
        DataError: It is no folder, or there is no class folder to train on.
    """
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder", expected=_EXPECTED, fix="check the spelling of the path"
        )
    return _Reader(root).listing()


def looked_at(root: Path) -> Iterator[str]:
    """Yield all files and folders, in order, on which the content of an image folder depends."""
    yield str(root)
    yield from _below(str(root), 3)


def pictures_below(folder: Path) -> Iterator[Path | DataError]:
    """Yield all image files in a folder and in its folders, whatever these are called.

    What is no data is left out as it is for training, and links are followed, but not back to where
    they came from. A folder that cannot be read gives the error instead.
    """
    return _pictures_below(folder, frozenset())


def _pictures_below(folder: Path, above: frozenset[str]) -> Iterator[Path | DataError]:
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        entries = _entries(folder)
    except DataError as error:
        yield error
        return
    for entry in entries:
        if _is_folder(entry):
            yield from _pictures_below(Path(entry.path), above | {here})
        elif _is_picture(entry):
            yield Path(entry.path)


class _Reader:
    """Reads one folder, and collects what is odd on the way."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._links = Links(root)
        self._ignored = Tally()
        self._problems: list[Problem] = []
        self._folders: dict[Path, list[Entry]] = {}

    def listing(self) -> Listing:
        """Return what `read_layout` returns."""
        folders = self._part_folders()
        classes = [entry.name for entry in self._subfolders(folders["train"])]
        if not classes:
            raise _without_classes(folders["train"])
        names = tuple(map(printable, classes))
        parts = {part: self._part(part, folders[part], classes, names) for part in folders}
        if len(names) < 2:
            self._problems.append(single_class(self._root, names[0]))
        self._note_unused(folders)
        problems = [*self._problems, *self._links.problems()]
        return Listing(self._root, names, parts, problems)

    def _part_folders(self) -> dict[str, Path]:
        """Return the folders of the parts, `train` first; a flat folder is its own train part."""
        found: dict[str, Path] = {}
        for entry in self._subfolders(self._root):
            part = PART_NAMES.get(entry.name.casefold())
            if part is not None and part in found:
                raise DataError(
                    f"{self._root} has two {part} parts: {found[part].name}/ and {entry.name}/",
                    expected="one folder for each part",
                    fix="join the two, or move one of them elsewhere",
                )
            if part is not None:
                found[part] = Path(entry.path)
        if not found:
            return {"train": self._root}
        if "train" not in found:
            raise DataError(
                f"{self._root} has {listed(f'{folder.name}/' for folder in found.values())} "
                "but no train/",
                expected=_EXPECTED,
                fix="put the training images into train/<class>/",
            )
        return {part: found[part] for part in PARTS if part in found}

    def _subfolders(self, folder: Path) -> list[Entry]:
        """Return the folders in a folder, less links that lead back to where they came from."""
        if folder not in self._folders:
            entries = _entries(folder)
            for entry in entries:
                if not _is_picture(entry):
                    self._links.note(entry)
            self._folders[folder] = [
                e for e in entries if _is_folder(e) and not self._links.leads_back(e)
            ]
        return self._folders[folder]

    def _part(
        self, part: str, folder: Path, classes: list[str], names: tuple[str, ...]
    ) -> ListedImages:
        block, counts = bytearray(), []
        for name in classes:
            files = FileNames.of(self._files(folder / name))
            block += files.block.tobytes()
            counts.append(len(files))
        self._note_classes(part, folder, classes, names, counts)
        files = FileNames(np.frombuffer(bytes(block), np.uint8))
        labels = np.repeat(np.arange(len(classes)), counts)
        return ListedImages(files, labels, files_under(self._root, files))

    def _files(self, folder: Path) -> Iterator[str]:
        """Yield the image files of a class folder, relative to the root; note the others."""
        place = os.path.relpath(folder, self._root)
        for entry in _entries(folder) if folder.is_dir() else ():
            if _is_picture(entry):
                self._links.note(entry, told_elsewhere=True)
                yield os.path.join(place, entry.name)  # noqa: PTH118
            else:
                self._ignore(entry)

    def _note_classes(
        self, part: str, folder: Path, classes: list[str], names: tuple[str, ...], counts: list[int]
    ) -> None:
        empty = [name for name, count in zip(names, counts, strict=True) if not count]
        if len(empty) == len(names):
            self._problems.append(_empty_part(folder))
        elif empty:
            self._problems.append(empty_classes(str(folder), part, empty, "an image"))
        if part == "train":
            return
        others = [e for e in self._subfolders(folder) if e.name not in set(classes)]
        unknown = [printable(e.name) for e in others if any(map(_is_picture, _entries(e)))]
        if unknown:
            self._problems.append(unknown_classes(str(folder), unknown, names))

    def _note_unused(self, folders: dict[str, Path]) -> None:
        """Warn of what lies in the folder and is not used."""
        for folder in folders.values():
            for entry in filter(_is_picture, _entries(folder)):
                self._ignore(entry)
        if folders["train"] != self._root:
            for entry in self._subfolders(self._root):
                if Path(entry.path) not in folders.values():
                    self._ignore(entry)
        if self._ignored.count:
            self._problems.append(_ignored_problem(self._root, self._ignored))

    def _ignore(self, entry: Entry) -> None:
        self._ignored.add(printable(os.path.relpath(entry.path, self._root)))


def _entries(folder: Path | Entry) -> list[Entry]:
    with explaining_reads(Path(folder)), os.scandir(folder) as entries:
        visible = [
            entry
            for entry in entries
            if not entry.name.startswith(".") and entry.name.casefold() not in _NOT_DATA
        ]
    return sorted(visible, key=lambda entry: natural_key(entry.name))


def _below(folder: str, depth: int) -> Iterator[str]:
    """Yield what lies in a folder, then what lies in its folders, so many levels deep."""
    folders = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            yield entry.path
            if depth > 1 and _is_folder(entry):
                folders.append(entry.path)
    for path in folders:
        yield from _below(path, depth - 1)


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: Entry) -> bool:
    """Tell image files by suffix; a dangling link is one, so that it is reported as unreadable."""
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
    if suffix not in SUFFIXES:
        return False
    return entry.is_file() if not entry.is_symlink() else not _is_folder(entry)


def _empty_part(folder: Path) -> Problem:
    return Problem(
        severity="error",
        kind="empty_part",
        problem=f"{folder} holds no image in any class folder",
        expected=_EXPECTED,
        fix="add images, or remove the folder; folders inside class folders are not looked at",
    )


def _without_classes(folder: Path) -> DataError:
    loose = sum(map(_is_picture, _entries(folder)))
    lies = f"{loose} image files lie loose in it" if loose else "it is empty of images"
    return DataError(
        f"{folder} has no class folders; {lies}",
        expected=_EXPECTED,
        fix="make one folder for each class and sort the image files into them, or write a table "
        "of files and labels (.csv)",
    )


def _ignored_problem(root: Path, ignored: Tally) -> Problem:
    return Problem(
        severity="warning",
        kind="ignored",
        problem=f"{ignored.count} files or folders of {root} are not used: {ignored.told()}",
        expected=f"files directly in class folders, ending in {', '.join(sorted(SUFFIXES))}",
        fix="convert or move them if they should be trained on",
        count=ignored.count,
        examples=tuple(ignored.examples),
    )
