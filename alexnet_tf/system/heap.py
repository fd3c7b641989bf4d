"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes

# Of mallopt, by names and numbers of glibc's malloc.h: nothing is mapped apart, as much as can be
# said may lie free at the end of the heap, and all threads share that.
PARAMETERS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}


def keep_freed_memory() -> None:
    """Keep what is freed for what is allocated next; nothing where the C library is not glibc.

    A step of training frees some hundreds of MB, which the next one asks for again: given back to
    the system in between, they come page by page, zeroed, and an epoch takes half as long again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in PARAMETERS.values():
        mallopt(parameter, value)
