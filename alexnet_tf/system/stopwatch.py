"""Where the time goes."""

from __future__ import annotations

import time


class Stopwatch:
    """Adds up `seconds`, by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, what: str) -> None:
        """Count the time since the last lap, or since the start, as spent on `what`."""
        now = time.monotonic()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self._last
        self._last = now
