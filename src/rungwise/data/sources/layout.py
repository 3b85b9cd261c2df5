"""Which files of an image folder belong to which part and class, before any is opened.

    split:  train/<class>/x.png, and if you like val|valid|validation/<class>/…, test/<class>/…
    flat:   <class>/x.png

Hidden files and folders, `__MACOSX` and `Thumbs.db` do not exist for us. Classes are the folders of
the training part, in natural order: `class10` comes after `class9`. Only files with an image
suffix directly inside a class folder count.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rungwise.data.content import explaining_reads
from rungwise.data.problems import Problem, listed
from rungwise.data.sources.picture import SUFFIXES
from rungwise.errors import DataError

PART_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_NOT_DATA = frozenset(("__macosx", "thumbs.db", "desktop.ini"))
_EXPECTED = (
    "train/<class>/<image files> with val/ and test/ beside train/, or <class>/<image files>"
)


@dataclass(frozen=True)
class LabelledFile:
    """An image file and the index of its class."""

    path: Path
    label: int


@dataclass
class Layout:
    """The files of a folder by part, and what is odd about them.

    Args:
        root: The folder.
        class_names: The folders of the training part, in natural order.
        parts: Files by part, `train` first; by class and then by name, in natural order.
        problems: Empty classes and parts, classes that training does not know, ignored files.
    """

    root: Path
    class_names: tuple[str, ...]
    parts: dict[str, list[LabelledFile]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_layout(root: Path) -> Layout:
    """Find the parts, classes and files of an image folder.

    Raises:
        DataError: It is no folder, or there is no class folder to train on.
    """
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder", expected=_EXPECTED, fix="check the spelling of the path"
        )
    folders = _part_folders(root)
    class_names = tuple(folder.name for folder in _subfolders(folders["train"]))
    if not class_names:
        raise _without_classes(folders["train"])
    layout = Layout(root, class_names)
    ignored: list[Path] = []
    for part, folder in folders.items():
        layout.parts[part] = list(_files(folder, class_names, ignored))
        layout.problems += _part_problems(layout, part, folder)
    if len(class_names) < 2:
        layout.problems.append(_single_class(root, class_names))
    layout.problems += _ignored_problems(root, folders, ignored)
    return layout


def looked_at(root: Path) -> list[Path]:
    """Return all files and folders, in order, on which the content of an image folder depends."""
    return [root, *(path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth)))]


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts `class10` after `class9`.

    >>> sorted(["class10", "class9", "Class1"], key=natural_key)
    ['Class1', 'class9', 'class10']
    """
    pieces = re.split(r"(\d+)", name.casefold())
    numbered = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces if p]
    return numbered, name


def _entries(folder: Path) -> list[Path]:
    with explaining_reads(folder):
        visible = [
            entry
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.name.casefold() not in _NOT_DATA
        ]
    return sorted(visible, key=lambda entry: natural_key(entry.name))


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _is_picture(entry: Path) -> bool:
    """Tell image files by suffix; a dangling link is one, so that it is reported as unreadable."""
    return entry.suffix.lower() in SUFFIXES and (entry.is_file() or entry.is_symlink())


def _part_folders(root: Path) -> dict[str, Path]:
    """Return the folders of the parts, `train` first; a flat folder is its own training part."""
    found: dict[str, Path] = {}
    for folder in _subfolders(root):
        part = PART_FOLDERS.get(folder.name.casefold())
        if part is not None and part in found:
            raise DataError(
                f"{root} has two {part} parts: {found[part].name}/ and {folder.name}/",
                expected="one folder for each part",
                fix="join the two, or move one of them elsewhere",
            )
        if part is not None:
            found[part] = folder
    if not found:
        return {"train": root}
    if "train" not in found:
        raise DataError(
            f"{root} has {listed(f'{folder.name}/' for folder in found.values())} but no train/",
            expected=_EXPECTED,
            fix="put the training images into train/<class>/",
        )
    return {part: found[part] for part in ("train", "validation", "test") if part in found}


def _files(
    folder: Path, class_names: tuple[str, ...], ignored: list[Path]
) -> Iterator[LabelledFile]:
    """Yield the files of the known classes; collect in `ignored` what is no image file."""
    for label, name in enumerate(class_names):
        entries = _entries(folder / name) if (folder / name).is_dir() else []
        for entry in entries:
            if _is_picture(entry):
                yield LabelledFile(entry, label)
            else:
                ignored.append(entry)


def _part_problems(layout: Layout, part: str, folder: Path) -> Iterator[Problem]:
    used = {file.label for file in layout.parts[part]}
    empty = [name for label, name in enumerate(layout.class_names) if label not in used]
    if not used:
        yield Problem(
            severity="error",
            kind="empty_part",
            problem=f"{folder} holds no image in any class folder",
            expected=_EXPECTED,
            fix="add images, or remove the folder; folders inside class folders are not looked at",
        )
    elif empty:
        yield _empty_classes(part, folder, empty)
    known = set(layout.class_names)
    others = [f for f in _subfolders(folder) if f.name not in known]
    if unknown := [f.name for f in others if any(map(_is_picture, _entries(f)))]:
        yield Problem(
            severity="error",
            kind="unknown_class",
            problem=f"{folder} has {len(unknown)} classes that are not in train: {listed(unknown)}",
            expected="only classes that the training part has",
            fix=f"rename them, remove them, or add their images to train: "
            f"{listed(layout.class_names)}",
            count=len(unknown),
            examples=tuple(unknown[:5]),
        )


def _empty_classes(part: str, folder: Path, empty: list[str]) -> Problem:
    return Problem(
        severity="error" if part == "train" else "warning",
        kind="empty_class",
        problem=f"{folder} has {len(empty)} classes without an image: {listed(empty)}",
        expected="at least one image directly in each class folder",
        fix="add images, or remove these class folders"
        if part == "train"
        else "add images; until then these classes are not measured here",
        count=len(empty),
        examples=tuple(empty[:5]),
    )


def _without_classes(folder: Path) -> DataError:
    loose = sum(map(_is_picture, _entries(folder)))
    lies = f"{loose} image files lie loose in it" if loose else "it is empty of images"
    return DataError(
        f"{folder} has no class folders; {lies}",
        expected=_EXPECTED,
        fix="make one folder for each class and sort the image files into them",
    )


def _single_class(root: Path, class_names: tuple[str, ...]) -> Problem:
    return Problem(
        severity="error",
        kind="single_class",
        problem=f"{root} has only one class: {class_names[0]}",
        expected="at least two classes",
        fix="add a second class folder, or pass the folder whose sub-folders are the classes",
    )


def _ignored_problems(
    root: Path, folders: dict[str, Path], ignored: list[Path]
) -> Iterator[Problem]:
    """Warn of what lies in the folder and is not used."""
    loose = [e for folder in folders.values() for e in _entries(folder) if _is_picture(e)]
    beside = [] if folders["train"] == root else _subfolders(root)
    unused = [*ignored, *loose, *(f for f in beside if f not in folders.values())]
    if unused:
        names = [str(entry.relative_to(root)) for entry in unused]
        yield Problem(
            severity="warning",
            kind="ignored",
            problem=f"{len(names)} files or folders of {root} are not used: {listed(names)}",
            expected=f"files directly in class folders, ending in {', '.join(sorted(SUFFIXES))}",
            fix="convert or move them if they should be trained on",
            count=len(names),
            examples=tuple(names[:5]),
        )
