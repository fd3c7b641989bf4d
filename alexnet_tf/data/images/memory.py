"""Room in memory for large pictures: over all threads together, they wait for each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Lock

from alexnet_tf.system.cgroups import memory_limits

# Decoded pictures take at most this share of the memory that there is, and no more than that.
SHARE, MOST = 1 / 4, 2 << 30


class Room:
    """So many bytes of memory, lent in turn.

    Who asks for more than there is gets it when nobody else has any: nothing waits for ever.
    """

    def __init__(self, size: int):
        self.size = size
        self._lent = 0
        self._turn = Lock()
        self._changed = Condition()

    @contextmanager
    def lent(self, amount: int) -> Iterator[None]:
        """Have `amount` bytes for as long as a block runs, and wait for them before."""
        # In turn, so that a large picture is not overtaken for ever by small ones.
        with self._turn, self._changed:
            self._changed.wait_for(lambda: not self._lent or self._lent + amount <= self.size)
            self._lent += amount
        try:
            yield
        finally:
            with self._changed:
                self._lent -= amount
                self._changed.notify()


def memory() -> int:
    """Find the bytes of memory that this process may take: the machine's, or its own limit."""
    limits = [4 * MOST]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ImportError, ValueError, OSError):
        import resource  # which Windows lacks

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            limits.append(limit)
    return min([*limits, *memory_limits()])


ROOM = Room(min(int(SHARE * memory()), MOST))
# Files that are large themselves are read one at a time.
LARGE_FILE = 16 << 20
ONE_LARGE_FILE = Lock()
