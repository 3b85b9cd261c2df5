"""What a user writes to name some data: `mnist`, `mnist@100`, `./photos`, `photos.csv@20`."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rungwise.errors import ConfigError, UnknownNameError, UsageError

_SUFFIXES = (".npz", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Spec:
    """A spec, taken apart.

    Args:
        source: The name or path as written, without `@n`.
        path: The path, if it is one; None for a named set.
        per_class: `n` of `@n`.
    """

    source: str
    path: Path | None
    per_class: int | None


def as_spec(source: Any) -> str:
    """Return the spec that a user gives as text or as a path; a path never means a named set.

    Raises:
        UsageError: It is neither.

    >>> as_spec("mnist"), as_spec(Path("mnist"))
    ('mnist', './mnist')
    """
    if isinstance(source, str):
        return source
    path = os.fspath(source) if isinstance(source, os.PathLike) else None
    if not isinstance(path, str):
        raise UsageError(
            f"the data set is a {type(source).__name__}",
            expected="a name, or a path as text or as a Path",
            fix="pass for example 'mnist' or './photos'; arrays become a data set by "
            "rungwise.data.from_arrays, which is passed to `climb` as it is",
        )
    return path if os.sep in path or path.startswith((".", "~")) else f".{os.sep}{path}"


def parse_spec(spec: str, names: Iterable[str]) -> Spec:
    """Take a spec apart.

    A path is what exists on the disk, holds a separator, begins with `.` or `~`, or ends in
    `.npz`, `.csv`, `.tsv` or `.parquet`. A path that exists as written is taken whole, even if it
    holds an `@`.

    Raises:
        ConfigError: What follows the `@` is no whole number from 1.
        UnknownNameError: It is neither one of `names` nor a path.

    >>> parse_spec("mnist@100", ["mnist"])
    Spec(source='mnist', path=None, per_class=100)
    """
    names = list(names)
    whole = Path(spec).expanduser()
    if spec not in names and _looks_like_path(spec) and _exists(whole):
        return Spec(spec, whole, None)
    source, per_class = _split_subset(spec)
    if source in names:
        return Spec(source, None, per_class)
    if not _looks_like_path(source):
        raise UnknownNameError("data set", source, names, fix=f"for a folder, write ./{source}")
    return Spec(source, Path(source).expanduser(), per_class)


def _looks_like_path(text: str) -> bool:
    separators = {"/", os.sep, os.altsep or os.sep}
    return bool(text) and (
        any(separator in text for separator in separators)
        or text.startswith((".", "~"))
        or text.lower().endswith(_SUFFIXES)
        or _exists(Path(text))
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # inside a folder that may not be entered: reading it will tell
        return False


def _split_subset(spec: str) -> tuple[str, int | None]:
    source, at, number = spec.rpartition("@")
    if not at or "/" in number or os.sep in number:
        return spec, None
    if not re.fullmatch("[0-9]{1,9}", number) or int(number) < 1:
        raise ConfigError(
            f"{spec!r} asks for {number or 'no'} images of each class",
            expected=f"{source or 'NAME'}@n, where n is a whole number from 1",
            fix=f"write for example {source or 'mnist'}@100",
        )
    return source, int(number)
