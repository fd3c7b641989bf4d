"""Limits of a server and its current load; requests beyond a limit are refused at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException

# Memory for requests, in multiples of the largest request.
LARGEST_TOGETHER = 8
# Retry-After, in seconds.
AGAIN = {"Retry-After": "1"}


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    A request has at most `bytes` and `pictures`, and must arrive within `seconds`; `waiting` is the
    largest number of pictures of all requests together; `rate` is requests per second and address.
    """

    bytes: int = 32 << 20
    pictures: int = 32
    waiting: int = 128
    rate: int = 100
    seconds: float = 30


class Load:
    """The pictures and bytes that a server is processing, checked against its limits."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.pictures = self.bytes = 0

    @contextmanager
    def of_pictures(self, count: int) -> Iterator[None]:
        """Reserve `count` pictures for a block; HTTPException 503 if that exceeds the limit, unless
        no other request is being processed."""
        if self.pictures and self.pictures + count > self.limits.waiting:
            raise overloaded()
        self.pictures += count
        try:
            yield
        finally:
            self.pictures -= count

    def take_bytes(self, count: int) -> None:
        """Count bytes as they arrive; HTTPException 503 if they exceed the limit."""
        if self.bytes + count > LARGEST_TOGETHER * self.limits.bytes:
            raise overloaded()
        self.bytes += count

    def is_full(self) -> bool:
        """Check whether the server can accept no more pictures."""
        return self.pictures >= self.limits.waiting


def overloaded() -> HTTPException:
    """Return the exception for an overloaded server."""
    return HTTPException(503, "too many requests at once; try again in a moment", AGAIN)
