"""A progress bar for people at a terminal, and nothing at all in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
WIDTH = 30


def progress(
    items: Iterable[Item],
    total: float,
    what: str,
    done: int = 0,
    weigh: Callable[[Item], int] = lambda item: 1,
    unit: float = 1,
) -> Iterator[Item]:
    """Yield the `items`, while a bar on standard error shows how much of `total` is done.

    Each counts for `weigh(item)` of it, beside what was `done` before; `total` may be infinite. The
    numbers shown are multiples of `unit`.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    before, start = done, time.monotonic()
    shown = start
    try:
        for item in items:
            yield item
            done += weigh(item)
            now = time.monotonic()
            if now - shown > 0.1 or done == total:
                shown = now
                left = (now - start) * (total - done) / (done - before)
                filled = int(WIDTH * done / total)
                bar = "#" * filled + "-" * (WIDTH - filled)
                count = f"{done / unit:.0f}/{total / unit:.0f}"
                text = f"\r{what} [{bar}] {count} {left:4.0f} s left "
                print(text, end="", file=sys.stderr)
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
