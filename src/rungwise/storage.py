"""Files that are either written whole or not at all, with clear errors when the disk says no."""

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rungwise.errors import StorageError

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it into place when the block succeeds.

    A reader sees the old file or the new one, never half of either, and a crash leaves the old. The
    block writes into the temporary file; another one in its place would have neither its mode nor
    its lock.

    Raises:
        StorageError: The folder cannot be written, or the disk is full.
    """
    with explaining_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_unlocked(path.parent.glob(f".????????.{glob.escape(path.name)}.part"))
        with _own_file(path) as temporary:
            try:
                yield temporary
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _own_file(path: Path) -> Iterator[Path]:
    """Make a temporary file beside `path`; the lock on it says that its writer is alive.

    The process's umask decides who may read it.
    """
    while True:
        temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}.part")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _locked(handle, wait=True)
            if not temporary.exists():  # another process took it for left behind before the lock
                continue
            yield temporary
            return
        finally:
            os.close(handle)


def remove_left_behind(folder: Path) -> None:
    """Remove temporary files, in a folder and those below, whose writers were killed.

    Those of living writers stay. The folder need not exist.
    """
    with contextlib.suppress(OSError):  # a folder that cannot be looked at keeps what it has
        _remove_unlocked(folder.rglob(".????????.*.part"))


def _remove_unlocked(files: Iterable[Path]) -> None:
    if sys.platform == "win32":
        return  # there is no such lock; what a killed writer left stays
    for found in files:
        with contextlib.suppress(OSError):  # another process has just removed it
            handle = os.open(found, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                if _locked(handle):
                    found.unlink()
            finally:
                os.close(handle)


def _locked(handle: int, *, wait: bool = False) -> bool:
    """Lock a file until it is closed or its holder ends, and return whether that was possible."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process holds it, or the file system has no locks
        return False
    return True


def make_folder(parent: Path, prefix: str) -> Path:
    """Make a new folder with a random name; the process's umask decides who may enter it."""
    while True:
        made = parent / f"{prefix}{secrets.token_hex(4)}"
        with contextlib.suppress(FileExistsError):
            made.mkdir()
            return made


@contextlib.contextmanager
def explaining_storage(path: Path) -> Iterator[None]:
    """Turn the system's errors about a place into ours."""
    try:
        yield
    except OSError as error:
        raise _explained(error, path) from error


def _explained(error: OSError, path: Path) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"the disk is full: {path} was not written",
            expected="free space for the run's files",
            fix="free some space, then run the same command again (`train` with --resume): it goes "
            "on from what was saved; or choose another place with --out",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(
            f"no permission to write {path}",
            expected="a folder that you may write",
            fix="choose another place with --out, or change the folder's permissions",
        )
    return StorageError(
        f"{path} was not written: {error.strerror or error}",
        expected="a folder that can be written",
        fix="choose another place with --out",
    )


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all.

    Bytes of a file's name that are no text, which Python keeps as halves of characters, are
    written as escapes such as `\\udce9`; JSON reads them as what they were.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
