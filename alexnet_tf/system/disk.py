"""Room on the disk: how much is free, and what is said when it was not enough."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1e6
# A full disk, a user's share of it, a file of the largest size that there may be.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoom(OSError):
    """A disk that is full, or a file larger than one may be: a failed run, not bad input.

    The message says how much is needed, unless that is not known: 0.
    """

    def __init__(self, path: Path, needed: int, number: int = errno.ENOSPC):
        where, remedy = f"on the disk, where {megabytes(free_room(path))} are free", "Make room"
        if number == errno.EFBIG:
            where = "in one file, which is more than a file may have here"
            remedy = "Raise that (`ulimit -f unlimited`), or name a disk that takes larger files"
        amount = megabytes(needed) if needed else "more room"
        super().__init__(
            f"{path}: needs {amount} {where}; what was finished before is good. "
            f"{remedy}, and the same command goes on from there"
        )
        self.errno = number


@contextmanager
def room_for(path: Path, size: int) -> Iterator[None]:
    """Run a block that writes `size` bytes to the file `path`: NoRoom when its disk gets full."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or isinstance(error, NoRoom):
            raise
        raise NoRoom(path, size, error.errno) from error


def is_full(error: Exception) -> bool:
    """Tell whether `error` says that a disk, or its user's share of it, or a file is full."""
    return isinstance(error, OSError) and error.errno in FULL


def free_room(path: Path) -> int:
    """Count the bytes that are free on the disk of `path`, which need not exist yet."""
    return shutil.disk_usage(_existing(path)).free


def shortages(needs: Mapping[Path, int]) -> list[str]:
    """Return a sentence for each disk with less room than `needs` (path → bytes) takes on it."""
    disks: dict[int, list[Path]] = {}
    for path in needs:
        disks.setdefault(_existing(path).stat().st_dev, []).append(path)
    return [
        f"this run needs {megabytes(needed)} on the disk of {' and '.join(map(str, paths))}, where "
        f"{megabytes(free)} are free; it will stop when that is full, and go on once there is room"
        for paths in disks.values()
        if (needed := sum(needs[path] for path in paths)) > (free := free_room(paths[0]))
    ]


def megabytes(count: int) -> str:
    """Spell `count` bytes: in full when few, in MB of 10^6 bytes otherwise."""
    return f"{count:,} bytes" if count < MEGABYTE / 10 else f"{count / MEGABYTE:,.1f} MB"


def _existing(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that there is."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())
