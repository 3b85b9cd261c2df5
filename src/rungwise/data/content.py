"""What a file holds, whatever it is wrapped in: reading errors told in our words, and identity."""

import contextlib
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from rungwise.errors import DataError

_DAMAGED = (zlib.error, tarfile.TarError, EOFError)


def blob_hash(content: bytes | bytearray) -> str:
    """Return the git blob hash of some content: it names the data, not the gzip around it.

    >>> blob_hash(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def require_identity(content: bytes | bytearray, identity: str | None, source: Path | str) -> None:
    """Make sure that `content` is what it is taken for; `None` takes anything.

    Raises:
        DataError: The content has another git blob hash than `identity`.
    """
    if identity is None or (found := blob_hash(content)) == identity:
        return
    raise DataError(
        f"{source} holds other content than the official file ({len(content)} bytes, {found})",
        expected=f"content with the git blob hash {identity}, uncompressed",
        fix="delete the file and put the official one in its place, or let rungwise download it",
    )


@contextlib.contextmanager
def explaining_reads(path: Path) -> Iterator[None]:
    """Turn the errors of reading a data file into ours.

    Raises:
        DataError: The file is missing, may not be read, or its compression is damaged.
    """
    try:
        yield
    except _DAMAGED as error:
        raise DataError(
            f"{path} is damaged or cut off: {error}",
            expected="a whole compressed file",
            fix="delete the file and copy or download it again",
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a file that exists and that you may read",
            fix="check the path and its permissions",
        ) from error
