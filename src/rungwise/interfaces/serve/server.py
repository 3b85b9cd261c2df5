"""The process that listens, until a signal asks it to stop."""

import errno
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from rungwise.errors import Interrupted, UsageError
from rungwise.interfaces.serve.connection import connection_class
from rungwise.interfaces.serve.service import Service

SPARE_SECONDS = 5
REASONS = {
    errno.EADDRINUSE: ("is taken", "another --port, or 0 for any that is free"),
    errno.EACCES: ("may not be used", "a --port above 1023"),
    errno.EADDRNOTAVAIL: ("is not on this machine", "a --host of this machine, or 0.0.0.0 for all"),
}


def listener(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; nobody is heard yet.

    Raises:
        UsageError: There is no such address, or it is taken.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"the port is {port}", expected="0 to 65535", fix="use --port 8000")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(
            f"the host {host!r} is unknown: {getattr(error, 'strerror', error)}",
            expected="an address or a name of this machine",
            fix="use --host 127.0.0.1, or 0.0.0.0 to be reached from other machines",
        ) from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        reason, fix = REASONS.get(error.errno or 0, (str(error.strerror), "another address"))
        raise UsageError(
            f"{host} port {port} {reason}", expected="an address to listen on", fix=f"use {fix}"
        ) from None
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Tell whether only this machine can reach a socket."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


class Server(uvicorn.Server):
    """Serves until the first signal, then answers what was asked and ends; a second does not wait.

    Args:
        app: What answers.
        service: Whose limits hold.
        ready: Called when requests are taken.
    """

    def __init__(self, app: ASGIApp, service: Service, ready: Callable[[], None]) -> None:
        limits = service.limits
        super().__init__(
            uvicorn.Config(
                app,
                http=connection_class(service),
                loop="asyncio",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # Anyone could send them, and so escape --rate.
                server_header=False,
                timeout_graceful_shutdown=int(
                    limits.receive_seconds + limits.answer_seconds + SPARE_SECONDS
                ),
            )
        )
        for noisy in ("uvicorn.error", "python_multipart"):  # They tell of each bad request.
            logging.getLogger(noisy).setLevel(logging.ERROR)
        self._service = service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what was asked, end."""
        self._service.ending = True
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; unlike uvicorn's own, one that is obeyed is not sent again at the end."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._signal = sig

    def serve_on(self, bound: socket.socket) -> None:
        """Serve on a socket until a signal.

        Raises:
            Interrupted: A second signal came before all requests were answered.
        """
        self.run([bound])
        if self.force_exit:
            name = signal.Signals(self._signal).name
            error = Interrupted(f"a second {name} came: requests may be left without an answer")
            error.exit_code = 128 + self._signal
            raise error
