"""Time spent by purpose."""

import time


class Stopwatch:
    """The `seconds` spent, by purpose."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, what: str) -> None:
        """Add the time since the last lap, or since the start, to `what`."""
        now = time.monotonic()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self._last
        self._last = now
