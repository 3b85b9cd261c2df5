"""Archives of images: not read as they are, but there is one command that unpacks them."""

import shlex
from pathlib import Path

from rungwise.errors import DataError

_MODULES = {
    ".zip": "zipfile",
    **dict.fromkeys((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"), "tarfile"),
}
"""Python's modules that unpack a kind of archive, by the end of its name."""


def require_unpacked(path: Path) -> None:
    """Refuse an archive.

    Raises:
        DataError: The file is one.
    """
    ends = [end for end in _MODULES if path.name.lower().endswith(end)]
    if not ends or not path.is_file():
        return
    folder = path.with_name(path.name[: -len(ends[0])])
    command = shlex.join(("python", "-m", _MODULES[ends[0]], "-e", str(path), str(folder)))
    raise DataError(
        f"{path} is an archive, which is not read as it is",
        expected="a folder of class folders",
        fix=f"unpack it: {command}; then pass {folder}, or the folder in it that holds the class "
        "folders",
    )
