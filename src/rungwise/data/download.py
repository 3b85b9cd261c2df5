"""Downloads that try one mirror after the other and keep only what is proven right."""

import contextlib
import errno
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rungwise.errors import DataError
from rungwise.storage import explaining_storage

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
"""How long a mirror may be silent before the next one is tried."""

_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file that can be fetched.

    Args:
        name: Name of the file in its folder.
        mirrors: Full addresses of the file, best first.
        verify: Raises a DataError unless the file at a path has the right content.
        known_hash: Hash of the wrapped file, such as `md5:…`, where all mirrors serve the same.
    """

    name: str
    mirrors: tuple[str, ...]
    verify: Callable[[Path], None]
    known_hash: str | None = None


def fetch(
    downloads: Sequence[Download], folder: Path, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Bring files into `folder`; those that are there already are left alone.

    A file appears under its name only when its content was verified.

    Raises:
        DataError: No mirror delivered a file; the error lists each mirror with its failure.
        StorageError: The folder cannot be written, or the disk is full.
    """
    for download in downloads:
        if not (folder / download.name).exists():
            _fetch_one(download, folder, timeout_seconds)


def _fetch_one(download: Download, folder: Path, timeout_seconds: float) -> None:
    failures = []
    with explaining_storage(folder / download.name):
        folder.mkdir(parents=True, exist_ok=True)
        workplace = tempfile.TemporaryDirectory(dir=folder, prefix=".download-")
    with workplace:
        for mirror in download.mirrors:
            logger.info("downloading %s", mirror)
            failure = _try(mirror, download, Path(workplace.name), folder, timeout_seconds)
            if failure is None:
                return
            logger.warning("%s failed: %s", mirror, failure)
            failures.append(f"{mirror}: {failure}")
    raise DataError(
        f"{download.name} could not be downloaded:\n    " + "\n    ".join(failures),
        expected="a mirror that answers with the official file",
        fix=f"try again later, or put {download.name} into {folder} by hand, or into "
        f"{folder.name}/ of the folder that RUNGWISE_DATA names",
    )


def _try(
    mirror: str, download: Download, workplace: Path, folder: Path, timeout_seconds: float
) -> str | None:
    """Fetch one file from one mirror; return why that failed, or None."""
    import pooch

    downloader = pooch.HTTPDownloader(timeout=timeout_seconds, progressbar=False)
    try:
        with _quiet(pooch.get_logger()):
            fetched = Path(
                pooch.retrieve(
                    mirror,
                    known_hash=download.known_hash,
                    fname=download.name,
                    path=workplace,
                    downloader=downloader,
                )
            )
        download.verify(fetched)
        fetched.replace(folder / download.name)
    except DataError as error:
        (workplace / download.name).unlink(missing_ok=True)
        return error.problem.replace(f"{workplace}/", "")
    except (OSError, ValueError) as error:  # pooch and requests raise these two
        if isinstance(error, OSError) and error.errno in _STORAGE_ERRNOS:
            with explaining_storage(folder / download.name):
                raise
        return f"{type(error).__name__}: {error}"
    return None


@contextlib.contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Silence pooch, which logs a hash and its advice to people who write `pooch` calls."""
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
