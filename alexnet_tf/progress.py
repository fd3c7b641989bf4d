"""A progress bar for people at a terminal, and nothing at all in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
WIDTH = 30


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The `items`, while a bar on standard error shows how many of `total` are done."""
    if not sys.stderr.isatty():
        yield from items
        return
    start = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown > 0.1 or done == total:
            shown = now
            left = (now - start) * (total - done) / done
            filled = WIDTH * done // total
            bar = "#" * filled + "-" * (WIDTH - filled)
            print(f"\r{what} [{bar}] {done}/{total} {left:4.0f} s left ", end="", file=sys.stderr)
    print("\r\033[K", end="", file=sys.stderr, flush=True)
