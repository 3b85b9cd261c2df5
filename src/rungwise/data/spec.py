"""What a user writes to name some data: `mnist`, `mnist@100`, `./photos`, `photos.csv@20`."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rungwise.errors import ConfigError, UnknownNameError

_SUFFIXES = (".npz", ".csv", ".parquet")


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


def parse_spec(spec: str, names: Iterable[str]) -> Spec:
    """Take a spec apart.

    A path is what exists on the disk, holds a separator, begins with `.` or `~`, or ends in
    `.npz`, `.csv` or `.parquet`. A path that exists as written is taken whole, even if it holds
    an `@`.

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
