"""How much a service takes on: sizes, rates and times, each with its option on the command line."""

import math
from dataclasses import dataclass, fields

from rungwise.errors import ConfigError

RATE_BEYOND_LOOPBACK = 50.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused, and when.

    Raises:
        ConfigError: A limit is not above 0, or two of them leave no room for a request.
    """

    batch: int = 64
    """Images that the net answers at once, of requests that came while it worked; 1: one request
    at a time."""
    images: int = 16
    """Images in a request."""
    megapixels: float = 16
    """Size of an image, in millions of pixels."""
    body_megabytes: float = 8
    """Size of a request's body."""
    rate: float | None = None
    """Requests that one client may make in a second, and at once; 0: any number. By default 50, and
    any number where only this machine can reach the service."""
    queue: int = 256
    """Images that wait for an answer; further requests are told to come again."""
    connections: int = 256
    """Connections at a time."""
    receive_seconds: float = 20
    """Time for a client to send a request, or to take an answer."""
    answer_seconds: float = 30
    """Time for an answer, once the request is there."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            enough = value is None or value > 0 or (field.name == "rate" and value == 0)
            if not enough or math.isinf(value or 0):
                raise ConfigError(
                    f"{field.name.replace('_', '-')} is {value}",
                    expected="a number above 0" + (", or 0" if field.name == "rate" else ""),
                    fix="leave the option out for its default",
                )
        if self.queue < self.images:
            raise ConfigError(
                f"the queue holds {self.queue} images, but a request may have {self.images}",
                expected="a queue that holds a request's images",
                fix=f"use --queue {self.images} or more, or --images {self.queue} or fewer",
            )

    @property
    def body_bytes(self) -> int:
        """The largest body, in bytes."""
        return int(self.body_megabytes * 1e6)

    @property
    def pixels(self) -> int:
        """The largest image, in pixels."""
        return int(self.megapixels * 1e6)
