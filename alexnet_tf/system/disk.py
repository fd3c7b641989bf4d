"""Free disk space, and the error when there is too little."""

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1e6
# A full disk, an exhausted quota, a file of the maximum size.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoom(OSError):
    """A full disk, or a file larger than allowed: a failed run, not bad input. The message says how
    many bytes are needed, unless that is unknown (0)."""

    def __init__(self, path: Path, needed: int, number: int | None = errno.ENOSPC):
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
    """Raise NoRoom if the disk gets full while the block writes `size` bytes to the file `path`."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or isinstance(error, NoRoom):
            raise
        raise NoRoom(path, size, error.errno) from error


def is_full(error: BaseException | None) -> bool:
    """Tell whether `error` means a full disk, an exhausted quota or a file of the maximum size."""
    return isinstance(error, OSError) and error.errno in FULL


def free_room(path: Path) -> int:
    """Return the bytes that are free on the disk of `path`, which need not exist yet."""
    return shutil.disk_usage(_existing(path)).free


def shortages(needs: Mapping[Path, int]) -> list[str]:
    """Return a sentence for each disk that has less free space than `needs` (path → bytes)."""
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
    """Format `count` bytes: in full if few, otherwise in MB (10^6 bytes)."""
    return f"{count:,} bytes" if count < MEGABYTE / 10 else f"{count / MEGABYTE:,.1f} MB"


def _existing(path: Path) -> Path:
    """Return `path`, or its nearest parent that exists."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())
