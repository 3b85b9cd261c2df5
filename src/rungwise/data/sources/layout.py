"""Which files of an image folder belong to which part and class, before any is opened.

    split:  train/<class>/x.png, and if you like val|valid|validation/<class>/…, test/<class>/…
    flat:   <class>/x.png

Hidden files and folders, `__MACOSX` and `Thumbs.db` do not exist for us. Classes are the folders of
the training part, in natural order: `class10` comes after `class9`; folders whose names differ in
their Unicode form alone are one class. Images in the sub-folders of a class folder count to the
class. A file is an image by its suffix or by its content. Links are followed; those that leave the
folder or lead nowhere are reported.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rungwise.data.content import explaining_reads
from rungwise.data.labels import look_alike_classes
from rungwise.data.names import FileNames, class_name, natural_key, printable
from rungwise.data.problems import Problem, listed
from rungwise.data.sources.grouping import SubFolders
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
from rungwise.data.sources.picture import SUFFIXES, is_image_file
from rungwise.data.sources.table import TABLES
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
    if (root / "summary.json").is_file() and (root / "model.safetensors").is_file():
        raise DataError(
            f"{root} is a run, not a data set",
            expected=_EXPECTED,
            fix="name the data; to see runs beside each other, `rungwise compare RUN RUN`; for the "
            "mean of their nets, `rungwise evaluate RUN --with RUN`",
        )
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder", expected=_EXPECTED, fix="check the spelling of the path"
        )
    return _Reader(root).listing()


def looked_at(root: Path) -> Iterator[str]:
    """Yield all files and folders, in order, on which the content of an image folder depends."""
    yield str(root)
    yield from _below(str(root), frozenset())


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
        self._sub_folders = SubFolders(root)

    def listing(self) -> Listing:
        """Return what `read_layout` returns."""
        folders = self._part_folders()
        names = tuple(self._class_folders(folders["train"]))
        if not names:
            raise _without_classes(folders["train"])
        parts = {part: self._part(part, folders[part], names) for part in folders}
        self._problems += look_alike_classes(self._root, names)
        if len(names) < 2:
            self._problems.append(single_class(self._root, names[0]))
        self._note_unused(folders)
        self._problems += self._sub_folders.problems(names, is_flat=folders["train"] == self._root)
        problems = [*self._problems, *self._links.problems()]
        return Listing(self._root, names, parts, problems)

    def _part_folders(self) -> dict[str, Path]:
        """Return the folders of the parts, `train` first; a flat folder is its own train part."""
        found: dict[str, list[Path]] = {}
        others: list[Path] = []
        for entry in self._subfolders(self._root):
            part = PART_NAMES.get(entry.name.casefold())
            (others if part is None else found.setdefault(part, [])).append(Path(entry.path))
        if not found:
            return {"train": self._root}
        filled = [folder for folder in others if _holds_pictures(folder)]
        of_parts = [folder for folders in found.values() for folder in folders]
        if filled and all(map(self._is_plain_class, of_parts)):
            self._problems.append(_parts_that_are_classes(self._root, of_parts, filled))
            return {"train": self._root}
        for part, folders in found.items():
            if len(folders) > 1:
                raise _doubled(self._root, part, folders)
        if "train" not in found:
            raise DataError(
                f"{self._root} has {listed(f'{folder.name}/' for folder in of_parts)} "
                "but no train/",
                expected=_EXPECTED,
                fix="put the training images into train/<class>/",
            )
        self._require_no_other_part(found["train"][0], filled)
        return {part: found[part][0] for part in PARTS if part in found}

    def _is_plain_class(self, folder: Path) -> bool:
        """Tell whether images lie directly in a folder, and none in its sub-folders."""
        holds_loose = any(map(_is_picture, _entries(folder)))
        return holds_loose and not self._filled_folders(folder)

    def _filled_folders(self, folder: Path) -> set[str]:
        """Return the names of a folder's sub-folders that hold images."""
        below = (Path(entry.path) for entry in self._subfolders(folder))
        return {class_name(path.name) for path in below if _holds_pictures(path)}

    def _require_no_other_part(self, train: Path, others: list[Path]) -> None:
        """Refuse a folder that has the classes of `train`, but not the name of a part.

        Either it is a part, which must not be left out unseen, or `train` is a class beside it.

        Raises:
            DataError: There is such a folder.
        """
        classes = self._filled_folders(train)
        alike = [folder for folder in others if classes & self._filled_folders(folder)]
        if alike:
            told = listed(f"{printable(folder.name)}/" for folder in alike)
            raise DataError(
                f"{self._root} has {told} beside {train.name}/, with sub-folders of the same names",
                expected=f"parts that are called train, val or test: {_EXPECTED}",
                fix="rename a folder that is a part to val or test, or move it elsewhere; if "
                f"{train.name} is a class, rename it, for example to {train.name}-class",
            )

    def _subfolders(self, folder: Path) -> list[Entry]:
        """Return the folders in a folder, less links that lead back to where they came from."""
        if folder not in self._folders:
            entries = _entries(folder)
            for entry in entries:
                if entry.is_symlink() and not _is_picture(entry):
                    self._links.note(entry)
            self._folders[folder] = [
                e for e in entries if _is_folder(e) and not self._links.leads_back(e)
            ]
        return self._folders[folder]

    def _class_folders(self, folder: Path) -> dict[str, list[Entry]]:
        """Return the folders of each class of a part, by its name, in natural order."""
        found: dict[str, list[Entry]] = {}
        for entry in self._subfolders(folder):
            found.setdefault(class_name(entry.name), []).append(entry)
        return {name: found[name] for name in sorted(found, key=natural_key)}

    def _part(self, part: str, folder: Path, names: tuple[str, ...]) -> ListedImages:
        block, counts = bytearray(), []
        of_class = self._class_folders(folder)
        for name in names:
            files = FileNames.of(
                file for entry in of_class.get(name, ()) for file in self._files(Path(entry.path))
            )
            block += files.block.tobytes()
            counts.append(len(files))
        self._note_classes(part, folder, names, counts)
        files = FileNames(np.frombuffer(bytes(block), np.uint8))
        labels = np.repeat(np.arange(len(names)), counts)
        return ListedImages(files, labels, files_under(self._root, files))

    def _files(self, folder: Path, above: tuple[str, ...] = ()) -> Iterator[str]:
        """Yield the image files in and below a class folder, relative to the root; note others.

        Args:
            folder: The class folder, or one in it.
            above: The real paths of the folders between, the class folder's first.
        """
        here = os.path.realpath(folder)
        if here in above:
            return
        place = os.path.relpath(folder, self._root)
        for entry in _entries(folder):
            if _is_folder(entry):
                yield from self._files_below(entry, (*above, here))
            elif _is_picture(entry):
                self._links.note(entry, told_elsewhere=True)
                self._sub_folders.count(place, depth=len(above))
                yield os.path.join(place, entry.name)  # noqa: PTH118
            else:
                self._ignore(entry)

    def _files_below(self, entry: Entry, above: tuple[str, ...]) -> Iterator[str]:
        """Yield the image files of a class folder's sub-folder; note one that holds none."""
        if self._links.leads_back(entry):
            self._ignore(entry)
            return
        self._links.note(entry)
        inside = self._files(Path(entry.path), above)
        first = next(inside, None)
        if first is None:
            self._ignore(entry)
            return
        yield first
        yield from inside

    def _note_classes(
        self, part: str, folder: Path, names: tuple[str, ...], counts: list[int]
    ) -> None:
        of_class = self._class_folders(folder)
        self._problems += _joined_problems(folder, of_class)
        empty = [name for name, count in zip(names, counts, strict=True) if not count]
        if len(empty) == len(names):
            self._problems.append(_empty_part(folder))
        elif empty:
            self._problems.append(empty_classes(str(folder), part, empty, "an image"))
        unknown = [
            name
            for name, entries in of_class.items()
            if name not in names and any(_holds_pictures(Path(entry.path)) for entry in entries)
        ]
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


def _below(folder: str, above: frozenset[str]) -> Iterator[str]:
    """Yield what lies in a folder, then what lies in its folders, but never in a circle."""
    here = os.path.realpath(folder)
    if here in above:
        return
    folders = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            yield entry.path
            if _is_folder(entry):
                folders.append(entry.path)
    for path in folders:
        yield from _below(path, above | {here})


def _holds_pictures(folder: Path) -> bool:
    return any(isinstance(found, Path) for found in pictures_below(folder))


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: Entry) -> bool:
    """Tell image files; a dangling link with an image's suffix is one, so that it is reported."""
    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
        return os.path.splitext(entry.name)[1].lower() in SUFFIXES  # noqa: PTH122
    return entry.is_file() and is_image_file(entry.path)


def _doubled(root: Path, part: str, folders: list[Path]) -> DataError:
    return DataError(
        f"{root} has two {part} parts: {folders[0].name}/ and {folders[1].name}/",
        expected="one folder for each part",
        fix="join the two, or move one of them elsewhere",
    )


def _parts_that_are_classes(root: Path, parts: list[Path], others: list[Path]) -> Problem:
    told, beside = (
        listed(f"{printable(path.name)}/" for path in paths) for paths in (parts, others)
    )
    return Problem(
        severity="note",
        kind="class_named_as_part",
        problem=f"{told} of {root} holds images directly, as {beside} beside it does, so it is "
        "taken for a class",
        expected=_EXPECTED,
        fix="nothing must be done if it is a class; else sort its images into class folders",
        count=len(parts),
        examples=tuple(printable(path.name) for path in parts),
    )


def _joined_problems(folder: Path, of_class: dict[str, list[Entry]]) -> Iterator[Problem]:
    joined = [name for name, entries in of_class.items() if len(entries) > 1]
    if joined:
        yield Problem(
            severity="note",
            kind="joined_classes",
            problem=f"{folder} has {len(joined)} classes in several folders, whose names differ in "
            f"their Unicode form alone: {listed(joined)}",
            expected="one folder for each class",
            fix="nothing must be done: they are one class",
            count=len(joined),
            examples=tuple(joined),
        )


def _empty_part(folder: Path) -> Problem:
    return Problem(
        severity="error",
        kind="empty_part",
        problem=f"{folder} holds no image in any class folder",
        expected=_EXPECTED,
        fix="add images, or remove the folder",
    )


def _without_classes(folder: Path) -> DataError:
    loose = sum(map(_is_picture, _entries(folder)))
    lies = f"{loose} image files lie loose in it" if loose else "it is empty of images"
    tables = [printable(e.name) for e in _entries(folder) if Path(e.name).suffix in TABLES]
    return DataError(
        f"{folder} has no class folders; {lies}",
        expected=_EXPECTED,
        fix=f"if {listed(tables)} holds files and labels, pass that file instead of the folder"
        if tables
        else "make one folder for each class and sort the image files into them, or write a table "
        "of files and labels (.csv)",
    )


def _ignored_problem(root: Path, ignored: Tally) -> Problem:
    return Problem(
        severity="warning",
        kind="ignored",
        problem=f"{ignored.count} files or folders of {root} are not used: {ignored.told()}",
        expected="image files (PNG, JPEG, BMP, GIF, WebP, TIFF, PPM) in class folders",
        fix="convert or move them if they should be trained on",
        count=ignored.count,
        examples=tuple(ignored.examples),
    )
