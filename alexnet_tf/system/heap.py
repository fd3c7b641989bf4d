"""Settings of the C library's allocator."""

import ctypes

# Parameters of mallopt, from glibc's malloc.h: allocations are never mapped separately, the top of
# the heap is trimmed as late as possible, and all threads share one arena.
PARAMETERS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}


def keep_freed_memory() -> None:
    """Keep freed memory in the process for later allocations; does nothing without glibc.

    A training step frees some hundreds of MB, which the next one allocates again. If they went back
    to the system in between, they would return page by page, zeroed, and an epoch would take half
    as long again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in PARAMETERS.values():
        mallopt(parameter, value)
