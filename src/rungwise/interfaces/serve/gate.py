"""Who may ask at all, looked at before anything of a request is read but its head.

A page from elsewhere must not use a service that its visitor's machine can reach. It sends its own
origin, which is refused; and if it has its own name point to this machine (DNS rebinding), that
name is refused. Addresses cannot be pointed elsewhere, so any address passes as a host.
"""

import hmac
import ipaddress
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from rungwise.errors import UsageError
from rungwise.interfaces.serve.refusal import BEARER, Refusal

OPEN_PATHS = frozenset(("/", "/page.css", "/page.js", "/openapi.json", "/health"))
"""Without the token: the page, which asks for it, how to use the service, whether all is well."""
MOST_CLIENTS = 10_000


@dataclass(frozen=True)
class Gate:
    """Lets a request pass, or refuses it.

    Args:
        names: Host names that clients may use, besides addresses.
        token: What they must know; None for nothing.
        rate: Counts each client's requests; None for any number.

    Raises:
        UsageError: The token cannot be sent in a header.
    """

    names: frozenset[str]
    token: str | None = None
    rate: "Rate | None" = None

    def __post_init__(self) -> None:
        if self.token is not None and not (
            self.token
            and self.token.isascii()
            and self.token.isprintable()
            and " " not in self.token
        ):
            raise UsageError(
                "the token is empty or has characters that a header cannot hold",
                expected="letters, digits and signs of ASCII, without blanks",
                fix="make one with `python -c 'import secrets; print(secrets.token_urlsafe())'`",
            )

    def check(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            Refusal: It comes from elsewhere, too often, or without the token.
        """
        if self.rate is not None:
            self.rate.check(client_of(request))
        self._check_host(request)
        self._check_origin(request)
        if self.token is not None and request.url.path not in OPEN_PATHS:
            self._check_token(request)

    def _check_host(self, request: Request) -> None:
        hosts = request.headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not (name in self.names or is_address(name)):
            raise Refusal(
                421,
                f"this service is not called {hosts[0][:200]!r}" if hosts else "no host is named",
                expected=f"one Host header: an address, or one of {', '.join(sorted(self.names))}",
                fix="use the address, or start the service with --name NAME",
            )

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "none")
        own = tuple(f"{scheme}://{request.headers['host'].lower()}" for scheme in ("http", "https"))
        asks = request.method not in ("GET", "HEAD")
        if (origin is not None and origin.lower() not in own) or (
            asks and site not in ("same-origin", "none")
        ):
            raise Refusal(
                403,
                f"a page of another origin asks: {(origin or site)[:200]}",
                expected="the service's own page, or a program that is no browser",
                fix="open the service's own page",
            )

    def _check_token(self, request: Request) -> None:
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(sent.strip().encode(), str(self.token).encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(
                401,
                "the token is wrong" if sent else "the token is missing",
                expected="the header Authorization: Bearer TOKEN",
                fix="send the token that the service was started with",
                headers=BEARER,
            )


class Rate:
    """A bucket for each client: it holds a second's requests and is filled at that rate.

    Args:
        per_second: Requests in a second.
        clock: Tells the seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Count a request.

        Raises:
            Refusal: The client's bucket is empty.
        """
        now = self._clock()
        left, before = self._buckets.pop(client, (self._size, now))
        left = min(self._size, left + (now - before) * self._per_second)
        if left >= 1:
            self._keep(client, left - 1, now)
            return
        self._keep(client, left, now)
        seconds = math.ceil((1 - left) / self._per_second)
        raise Refusal(
            429,
            "too many requests",
            expected=f"at most {self._per_second:g} in a second",
            fix=f"send it again in {seconds} s, or several images in one request",
            headers={"Retry-After": str(seconds)},
        )

    def _keep(self, client: str, left: float, now: float) -> None:
        self._buckets[client] = left, now
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)


def own_names(host: str, further: Sequence[str]) -> frozenset[str]:
    """Return the names that a service on `host` goes by."""
    names = ("localhost", socket.gethostname(), host, *further)
    return frozenset(name.lower().rstrip(".") for name in names if not is_address(name))


def client_of(request: Request) -> str:
    """Return what stands for a client: its address, of IPv6 the network that is one client's."""
    host = request.client.host if request.client else ""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))


def host_name(header: str) -> str | None:
    """Return the name or address in a Host header, without the port; None if it makes no sense.

    >>> host_name("Example.org.:8000"), host_name("[::1]:8000"), host_name("a:b:c")
    ('example.org', '::1', None)
    """
    name, colon, port = header.rpartition(":")
    if header.endswith("]") or not colon:
        name, port = header, ""
    if port and not (port.isascii() and port.isdecimal()):
        return None
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1].lower()
    return None if ":" in name or not name else name.lower().rstrip(".")


def is_address(name: str) -> bool:
    """Tell whether a host is an address of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
