"""Connections that are slow or broken, and the end of a service."""

import contextlib
import http.client
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rungwise.errors import UsageError

pytest.importorskip("uvicorn", reason="needs the extra serve")

from rungwise.interfaces.serve.server import is_loopback, listener

Make = Any
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def refused(answer: bytes, status: int) -> dict[str, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status), answer
    told: dict[str, str] = json.loads(body)
    assert told.keys() == {"problem", "expected", "fix"}
    return told


def test_a_body_that_comes_too_slowly_is_not_waited_for(serving: Make) -> None:
    with serving(receive_seconds=0.5) as client, connected(client.port) as connection:
        started = time.monotonic()
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        for _ in range(3):
            connection.sendall(b"x")
            time.sleep(0.05)
        answer = received(connection)

    assert "not there after 0.5 seconds" in refused(answer, 408)["problem"]
    assert time.monotonic() - started < 20


def test_a_connection_that_asks_nothing_is_closed(serving: Make) -> None:
    with serving(receive_seconds=0.5) as client, connected(client.port) as connection:
        assert received(connection) == b""


@pytest.mark.parametrize("start", [b"POST /pre", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(serving: Make, start: bytes) -> None:
    with serving(receive_seconds=0.5) as client, connected(client.port) as connection:
        connection.sendall(start)
        assert "did not come in time" in refused(received(connection), 408)["problem"]


def test_a_second_head_on_the_same_connection_has_to_come_in_time_too(serving: Make) -> None:
    with serving(receive_seconds=0.5) as client, connected(client.port) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        first, _, second = received(connection).partition(b'"ready":true')
        assert b"200 OK" in first
        assert b"408" in second


def test_slow_clients_do_not_keep_others_from_an_answer(serving: Make, png: Make) -> None:
    with serving() as client, contextlib.ExitStack() as slow:
        for _ in range(50):
            slow.enter_context(connected(client.port)).sendall(HEAD)
        assert client.predict(png()).status == 200


def test_more_connections_than_allowed_are_refused(serving: Make) -> None:
    with serving(connections=2) as client, contextlib.ExitStack() as connections:
        last = [connections.enter_context(connected(client.port)) for _ in range(3)][-1]
        assert "too many connections" in refused(received(last), 503)["problem"]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 80 + b"\r\n\r\n",
        b"GET / HTTP/1\r\nHost: localhost\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: minus\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so(serving: Make, nonsense: bytes) -> None:
    with serving() as client:
        with connected(client.port) as connection:
            connection.sendall(nonsense)
            refused(received(connection), 400)
        assert client.get("/health").status == 200


def test_a_client_that_leaves_in_the_middle_does_no_harm(
    serving: Make, png: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as client:
        for _ in range(20):
            with connected(client.port) as connection:
                connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nhalf")
            with connected(client.port) as connection:
                connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(png()) + png())
        assert client.predict(png()).status == 200
    assert caplog.text == ""


def test_what_was_asked_before_the_end_is_answered(serving: Make, png: Make) -> None:
    replies: list[Any] = []
    with serving() as client:
        answer, free = client.service._batcher._answer, threading.Event()

        def slow(questions: Any) -> Any:
            assert free.wait(60)
            return answer(questions)

        client.service._batcher._answer = slow
        threads = [
            threading.Thread(target=lambda: replies.append(client.predict(png()))) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        while client.service.metrics.waiting < 5:
            time.sleep(0.01)
        threading.Timer(0.5, free.set).start()
    for thread in threads:
        thread.join()

    assert [reply.status for reply in replies] == [200] * 5
    assert {reply.headers["connection"] for reply in replies} == {"close"}


def test_a_request_on_its_way_over_an_idle_connection_is_answered_at_the_end(
    serving: Make, png: Make
) -> None:
    with serving() as client:
        idle = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        idle.request("GET", "/health")
        idle.getresponse().read()
        waiting = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        waiting.request("GET", "/health")
        waiting.getresponse().read()

        def ask_late() -> None:
            while not client.service.ending:
                time.sleep(0.005)
            idle.request("POST", "/predict", png(), {"Content-Type": "image/png"})

        late = threading.Thread(target=ask_late)
        late.start()
    late.join()
    response = idle.getresponse()

    assert (response.status, response.headers["connection"]) == (200, "close")
    with contextlib.closing(idle), contextlib.closing(waiting):
        response.read()
        assert waiting.sock.recv(1) == b""


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 65536, "the port is 65536"),
        ("192.0.2.1", 0, "is not on this machine"),
        ("two words", 0, "unknown"),
        ("a" * 70 + ".example", 0, "unknown"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told(
    host: str, port: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not host[0].isdigit():

        def unknown(*_: Any, **__: Any) -> None:
            raise socket.gaierror(-2, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    else:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [_found(host, port)])
    with pytest.raises(UsageError, match=words):
        listener(host, port)


def _found(host: str, port: int) -> Any:
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)


def test_a_port_that_is_taken_is_told() -> None:
    with listener("127.0.0.1", 0) as first:
        first.listen()
        assert is_loopback(first)
        with pytest.raises(UsageError, match="is taken"):
            listener("127.0.0.1", first.getsockname()[1])


def test_all_addresses_are_not_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [_found("0.0.0.0", 0)])
    with listener("0.0.0.0", 0) as bound:
        assert not is_loopback(bound)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_under_load_leaves_no_request_without_an_answer_and_ends_with_0(
    process_serving: Make, digit_reader: Path, png: Make, name: str
) -> None:
    answers: list[int] = []
    lost: list[Exception] = []

    def ask_on(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError:
                connection.close()
                return
            try:
                while connection.sock is not None:
                    connection.request("POST", "/predict", png(), {"Content-Type": "image/png"})
                    response = connection.getresponse()
                    response.read()
                    answers.append(response.status)
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)
                connection.close()
                return

    with process_serving(digit_reader) as (client, process):
        threads = [threading.Thread(target=ask_on, args=(client.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(answers) < 50:
            time.sleep(0.01)
        process.send_signal(signal.Signals[name])
        for thread in threads:
            thread.join(60)
        out, err = process.communicate(timeout=60)

    assert lost == []
    assert set(answers) == {200}
    assert (process.returncode, out) == (0, "")
    assert f"stopped; {len(answers)} requests answered" in err
    assert "Traceback" not in err


def test_a_second_signal_does_not_wait(process_serving: Make, digit_reader: Path) -> None:
    with process_serving(digit_reader) as (client, process), connected(client.port) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        time.sleep(0.5)
        process.terminate()
        time.sleep(1)
        assert process.poll() is None
        process.terminate()
        _, err = process.communicate(timeout=60)

    assert process.returncode == 143
    assert "a second SIGTERM came" in err


def test_without_a_token_a_service_for_others_says_so(
    process_serving: Make, digit_reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process_serving(digit_reader, "--host", "0.0.0.0") as (_, process):
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "warning: whoever reaches port" in err
    assert "--token" in err
    monkeypatch.setenv("RUNGWISE_TOKEN", "sesame")
    with process_serving(digit_reader, "--host", "0.0.0.0") as (client, process):
        client.get("/model").refuses(401, "Bearer")
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "warning" not in err


def test_the_command_s_mistakes_are_told(rungwise: Make, here: Path) -> None:
    rungwise("serve", "nowhere", "--port", "0").fails(1, "nowhere does not exist")
    rungwise("serve", "nowhere", "--port", "99999").fails(2, "the port is 99999")
    rungwise("serve", "nowhere", "--batch", "0").fails(2, "batch is 0")
    rungwise("serve", "nowhere", "--port", "0", "--token", "").fails(2, "the token is empty")


def test_a_missing_extra_is_named(
    rungwise: Make, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    rungwise("serve", "nowhere").fails(2, "uvicorn", "pip install 'rungwise[serve]'")
