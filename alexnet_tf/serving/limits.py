"""What a server takes at most, and what it has in hand: beyond that it says so at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException

# Requests of so many times the largest are in memory together.
LARGEST_TOGETHER = 8
# More addresses than these are not told apart.
MOST_ADDRESSES = 10_000
# Seconds after which somebody who was sent away may come again.
AGAIN = {"Retry-After": "1"}


@dataclass(frozen=True)
class Limits:
    """The most `bytes` and `pictures` of a request, `waiting` pictures of all together, requests a
    second (`rate`) from one address, and `seconds` in which a request has to be here."""

    bytes: int = 32 << 20
    pictures: int = 32
    waiting: int = 128
    rate: int = 100
    seconds: float = 30


class Load:
    """The pictures and bytes that a server has in hand, within its limits."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.pictures = self.bytes = 0

    @contextmanager
    def of_pictures(self, count: int) -> Iterator[None]:
        """Have so many more pictures for a block; HTTPException 503 where those are too many.

        A request is never too large for a server that has nothing else to do.
        """
        if self.pictures and self.pictures + count > self.limits.waiting:
            raise overloaded()
        self.pictures += count
        try:
            yield
        finally:
            self.pictures -= count

    def take_bytes(self, count: int) -> None:
        """Count bytes that arrive; HTTPException 503 where there would be too many."""
        if self.bytes + count > LARGEST_TOGETHER * self.limits.bytes:
            raise overloaded()
        self.bytes += count

    def is_full(self) -> bool:
        """Tell whether not one more picture is taken."""
        return self.pictures >= self.limits.waiting


class Rate:
    """How many requests each address may still make: `rate` a second, and as many at once."""

    def __init__(self, rate: int):
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Count a request from `address`, unless it has made too many."""
        now = time.monotonic()
        left, before = self._left.get(address, (self._rate, now))
        left = min(self._rate, left + (now - before) * self._rate)
        if len(self._left) >= MOST_ADDRESSES:
            self._left.clear()
        self._left[address] = max(0.0, left - 1), now
        return left >= 1


def overloaded() -> HTTPException:
    """Make the answer of a server that has more to do than it can."""
    return HTTPException(503, "more is asked than can be answered; ask again in a moment", AGAIN)
