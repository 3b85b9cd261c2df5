"""One client's connection: uvicorn's, with patience that ends."""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rungwise.interfaces.serve.service import Service

LINGER_SECONDS = 0.5
"""How long an idle connection stays open when all ends: a request may be on its way."""


class Connection(H11Protocol):
    """Takes requests that come in time, also while all ends.

    uvicorn itself waits for ever for a request's head, and for a client to take its answers. What
    was not read of a body is thrown away within the same time, so that clients that read no answer
    before they have sent everything get it.
    """

    service: Service
    """Set on a subclass: uvicorn makes the objects."""
    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._await_request(self._seconds)
        most = self.service.limits.connections
        if len(self.connections) > most:
            self._refuse(503, "too many connections", f"at most {most} at a time")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _cancel(self._asking, self._taking)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read; parts of a request's head do not set back the clock that runs until it is there."""
        super().data_received(data)
        if self._is_asked():
            _cancel(self._asking)
            self._asking = None
        elif self._asking is None:
            self._await_request(self._seconds)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was answered and has asked nothing since."""
        self._close_unless_asked()

    def pause_writing(self) -> None:
        """Wait for a client to take its answers, but not for ever."""
        super().pause_writing()
        self._taking = self.loop.call_later(self._seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client took them."""
        _cancel(self._taking)
        super().resume_writing()

    def shutdown(self) -> None:
        """End after the answer, or soon if nothing was asked."""
        if self._is_asked():
            self.cycle.keep_alive = False
        else:
            self._await_request(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP (called by uvicorn)."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(400, msg.rstrip("."), "HTTP/1.1, with at most 64 kilobytes of headers")
        else:
            self.transport.close()

    @property
    def _seconds(self) -> float:
        return self.service.limits.receive_seconds

    def _is_asked(self) -> bool:
        """Tell whether a request is here and not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _await_request(self, seconds: float) -> None:
        _cancel(self._asking)
        self._asking = self.loop.call_later(seconds, self._close_unless_asked)

    def _close_unless_asked(self) -> None:
        if self._is_asked() or self.transport.is_closing():
            return
        begun, _ = self.conn.trailing_data
        if begun and self.conn.our_state is h11.IDLE:
            self._refuse(408, "the request's head did not come in time", "a whole request")
        else:
            self.transport.close()

    def _refuse(self, status: int, problem: str, expected: str) -> None:
        self.service.metrics.requests[status] += 1
        content = {
            "problem": problem,
            "expected": expected,
            "fix": "correct it, or come again later",
        }
        body = json.dumps(content).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
        head = h11.Response(status_code=status, headers=list(headers.items()))
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def connection_class(service: Service) -> type[Connection]:
    """Return the class of a service's connections."""
    return type("Connection", (Connection,), {"service": service})


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
