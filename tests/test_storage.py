import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rungwise import storage
from rungwise.errors import StorageError
from rungwise.storage import (
    explaining_storage,
    make_folder,
    remove_left_behind,
    replacing,
    sha256,
    write_bytes,
    write_text,
)


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "größer ✓")

    assert (tmp_path / "a").read_bytes() == "größer ✓".encode()


def test_folders_are_made_and_old_content_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"

    write_bytes(path, b"a long first content")
    write_bytes(path, b"second")

    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_decides_who_may_read_what_was_written(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "a", b"")
        folder = make_folder(tmp_path, "made-")
    finally:
        os.umask(before)

    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask


WRITER = """
import sys, time
from pathlib import Path
from rungwise.storage import replacing

with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def writer(path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that writes `path` until its input ends; yield it and its temporary file."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_file_stays(tmp_path: Path) -> None:
    mine, foreign = tmp_path / "mine.part", tmp_path / ".12345678.part"
    for path in (mine, foreign):
        path.touch()
    with writer(tmp_path / "a") as (killed, left), writer(tmp_path / "b") as (living, kept):
        killed.kill()
        killed.wait()
        assert left.exists()

        remove_left_behind(tmp_path)

        assert set(tmp_path.iterdir()) == {kept, mine, foreign}
        living.communicate()
    assert set(tmp_path.iterdir()) == {tmp_path / "b", mine, foreign}


def test_the_next_writer_of_a_file_removes_what_the_killed_one_left_of_it(tmp_path: Path) -> None:
    with writer(tmp_path / "a[1]") as (killed, left):
        killed.kill()
    other = left.with_name(left.name.replace("a[1]", "a1"))
    other.touch()

    write_text(tmp_path / "a[1]", "whole")

    assert set(tmp_path.iterdir()) == {tmp_path / "a[1]", other}


def test_a_temporary_file_that_was_removed_before_its_lock_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = storage.fcntl.flock
    removed: list[Path] = []

    def take_away(handle: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(storage.fcntl, "flock", take_away)

    write_text(tmp_path / "a", "whole")

    assert removed
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


def test_a_reader_sees_the_old_file_until_the_block_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent

    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError("no")])
def test_a_failing_block_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), replacing(path) as temporary:
        temporary.write_text("half")
        raise error

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a"):
        _ = 1 / 0

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "no permission to write"),
        (errno.EPERM, "no permission to write"),
        (errno.EROFS, "no permission to write"),
        (errno.EFBIG, "File too large"),
        (errno.EIO, "Input/output error"),
    ],
    ids=errno.errorcode.get,
)
def test_the_systems_refusals_are_explained(number: int, problem: str) -> None:
    with pytest.raises(StorageError, match=problem) as caught, explaining_storage(Path("/r/x")):
        raise OSError(number, os.strerror(number))

    assert "/r/x" in caught.value.problem
    assert caught.value.expected
    assert "--out" in str(caught.value.fix)
    assert caught.value.exit_code == 1


def test_a_folder_without_permission_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:  # root may write everywhere
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("rungwise.storage.os.open", refuse)

    with pytest.raises(StorageError, match="no permission to write"):
        write_text(tmp_path / "a", "x")


def test_a_file_in_the_place_of_a_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()

    with pytest.raises(StorageError, match="was not written"):
        write_text(tmp_path / "file" / "a", "x")
    with pytest.raises(StorageError, match="was not written"):
        write_text(tmp_path / "folder", "x")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_a_write_that_is_cut_off_leaves_the_old_file(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="the system has no limit on file sizes")
    path = tmp_path / "a"
    path.write_text("old")
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from rungwise.errors import StorageError\n"
        "from rungwise.storage import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_bytes(Path(sys.argv[1]), bytes(5000))\n"
        "except StorageError as error:\n"
        "    print(error.problem)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == f"{path} was not written: File too large"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert sha256(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
