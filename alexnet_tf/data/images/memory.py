"""A memory budget for large pictures, shared by all threads, which wait for each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Lock

from alexnet_tf.system.cgroups import memory_limits

# Decoded pictures take at most this share of the available memory, and this many bytes.
SHARE, MOST = 1 / 4, 2 << 30


class Room:
    """A budget of `size` bytes, lent in turn. A request for more than the budget is granted when no
    other is active: nothing waits forever."""

    def __init__(self, size: int):
        self.size = size
        self._lent = 0
        self._turn = Lock()
        self._changed = Condition()

    @contextmanager
    def lent(self, amount: int) -> Iterator[None]:
        """Reserve `amount` bytes while the block runs; wait until they are available."""
        # In turn, so that small pictures do not overtake a large one forever.
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
    """Return the memory in bytes that this process may use: the machine's, or its own limit."""
    limits = [4 * MOST]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            limits.append(limit)
    return min([*limits, *memory_limits()])


ROOM = Room(min(int(SHARE * memory()), MOST))
# Larger files are read one at a time.
LARGE_FILE = 16 << 20
ONE_LARGE_FILE = Lock()
