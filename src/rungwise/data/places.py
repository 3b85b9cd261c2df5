"""Where the files of named sets, and decoded sets, lie on this machine."""

import os
from pathlib import Path


def local_folder(name: str) -> Path | None:
    """Return `$RUNGWISE_DATA/<name>`, where users keep their own copies; None if it is unset."""
    root = os.environ.get("RUNGWISE_DATA")
    return Path(root).expanduser() / name if root else None


def home_folder() -> Path:
    """Return the folder of all that is kept: `$RUNGWISE_HOME`, or the platform's user cache."""
    home = os.environ.get("RUNGWISE_HOME")
    if home:
        return Path(home).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("rungwise")


def cache_folder(name: str) -> Path:
    """Return the folder that downloads of a named set go to; it need not exist."""
    return home_folder() / "data" / name


def decoded_folder() -> Path:
    """Return the folder in the cache that decoded sets are kept in; it need not exist."""
    return home_folder() / "decoded"


def places(name: str) -> tuple[Path, ...]:
    """Return the folders that may hold a named set, in the order in which they are looked at."""
    local = local_folder(name)
    return (*((local,) if local else ()), cache_folder(name))
