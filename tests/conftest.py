"""No test leaves this machine or touches the user's cache; real data are used where they are."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("RUNGWISE_DATA") or ROOT.parent / "shared" / "datasets").resolve()
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test a cache of its own and no local copies; return the cache's root."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RUNGWISE_HOME", str(home))
    monkeypatch.delenv("RUNGWISE_DATA", raising=False)
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to, or looks up, anything but this machine."""
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in LOOPBACK:
            pytest.fail(f"a test connects to {address}")
        real_connect(self, address)

    def lookup(host: Any, *args: Any, **settings: Any) -> Any:
        if host is not None and host not in LOOPBACK:
            pytest.fail(f"a test looks up {host}")
        return real_lookup(host, *args, **settings)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that points RUNGWISE_DATA at a real named set, or skips the test.

    Real sets lie in the folder that RUNGWISE_DATA names, or in ../shared/datasets.
    """

    def require(name: str) -> Path:
        if not (REAL_DATA / name).is_dir():
            pytest.skip(f"{name} is not in {REAL_DATA}")
        monkeypatch.setenv("RUNGWISE_DATA", str(REAL_DATA))
        return REAL_DATA / name

    return require
