"""Tests of downloads, against a server on this machine."""

import errno
import gzip
import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rungwise.data.content import blob_hash
from rungwise.data.download import Download, fetch
from rungwise.data.sources.idx import _verify
from rungwise.errors import DataError, StorageError


def idx(data: bytes) -> bytes:
    """Return an IDX file of one axis."""
    return b"\0\0\x08\x01" + len(data).to_bytes(4, "big") + data


RIGHT = gzip.compress(idx(b"the right content"))
verify = partial(_verify, identity=blob_hash(idx(b"the right content")))


class Server:
    """Answers by path; remembers what was asked for."""

    def __init__(self) -> None:
        self.answers = {
            "/right/x.gz": RIGHT,
            "/html/x.gz": b"<!DOCTYPE html><p>This domain is for sale</p>",
            "/other/x.gz": gzip.compress(idx(b"some other content")),
            "/cut/x.gz": RIGHT[:20],
        }
        self.asked: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                body = server.answers.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.http.server_address[1]}"

    def download(self, *folders: str, known_hash: str | None = None) -> Download:
        mirrors = tuple(f"{self.root}/{folder}/x.gz" for folder in folders)
        return Download(name="x.gz", mirrors=mirrors, verify=verify, known_hash=known_hash)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def test_the_next_mirror_is_tried_until_one_is_right(server: Server, tmp_path: Path) -> None:
    fetch([server.download("gone", "html", "other", "cut", "right", "html")], tmp_path / "set")
    assert (tmp_path / "set" / "x.gz").read_bytes() == RIGHT
    assert [path.split("/")[1] for path in server.asked] == [
        "gone",
        "html",
        "other",
        "cut",
        "right",
    ]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["x.gz"]


def test_all_failures_are_listed(server: Server, tmp_path: Path) -> None:
    download = server.download("gone", "html", "other")
    unreachable = Download(
        name="x.gz", mirrors=("http://127.0.0.1:9/x.gz", *download.mirrors), verify=verify
    )
    with pytest.raises(DataError, match=r"x\.gz could not be downloaded") as caught:
        fetch([unreachable], tmp_path / "set")
    for mirror in unreachable.mirrors:
        assert f"{mirror}: " in caught.value.problem
    for reason in ("ConnectionError", "404", "damaged or cut off", "other content"):
        assert reason in caught.value.problem
    assert "RUNGWISE_DATA" in str(caught.value.fix)
    assert str(tmp_path / "set") in str(caught.value.fix)
    assert list((tmp_path / "set").iterdir()) == []


def test_a_known_hash_is_compared_too(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ValueError"):
        fetch([server.download("right", known_hash=f"md5:{'0' * 32}")], tmp_path)


def test_what_is_there_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"mine")
    fetch([server.download("right")], tmp_path)
    assert server.asked == []
    assert (tmp_path / "x.gz").read_bytes() == b"mine"


def test_a_silent_mirror_is_given_up(tmp_path: Path, server: Server) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x.gz"
        download = Download(name="x.gz", mirrors=(address,), verify=verify)
        with pytest.raises(DataError, match="ReadTimeout"):
            fetch([download], tmp_path, timeout_seconds=0.1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_storage_error(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError):
        fetch([server.download("right")], tmp_path / "set")


def test_a_file_in_the_way_of_the_folder_is_a_storage_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").write_text("in the way")
    with pytest.raises(StorageError, match=r"x\.gz"):
        fetch([server.download("right")], tmp_path / "set")


def test_a_full_disk_ends_the_download_at_once(server: Server, tmp_path: Path) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    download = replace(server.download("right", "right"), verify=full)
    with pytest.raises(StorageError, match="disk is full"):
        fetch([download], tmp_path)
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []
