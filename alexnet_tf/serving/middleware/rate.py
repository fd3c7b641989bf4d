"""How often an address may ask."""

from __future__ import annotations

import time

# Largest number of addresses tracked individually.
MOST_ADDRESSES = 10_000


class Rate:
    """Rate limiter per address: `rate` requests a second, and bursts of as many."""

    def __init__(self, rate: int):
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Count a request from `address`; return False if it exceeds the rate."""
        now = time.monotonic()
        left, before = self._left.get(address, (self._rate, now))
        left = min(self._rate, left + (now - before) * self._rate)
        if len(self._left) >= MOST_ADDRESSES:
            self._left.clear()
        self._left[address] = max(0.0, left - 1), now
        return left >= 1
