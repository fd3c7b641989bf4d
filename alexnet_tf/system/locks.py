"""One process at a time in a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import check_replaceable, itself
from alexnet_tf.system.log import warn_once

try:
    import fcntl
except ImportError:  # on Windows, where prediction works, and needs no lock
    fcntl = None

LOCK = ".lock"
# Bytes that the smallest file takes on a disk.
BLOCK = 4096
# What a disk answers that knows no locks: Lustre, NFS, some FUSE.
UNABLE = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
# As many characters has the number of no process.
MOST = 32


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Run a block that has `directory` to itself; UserError, naming the process that has it.

    The kernel lets go of the lock ``.lock`` when its process ends, however that came, so a file
    that a dead process left is in nobody's way. Raises UserError where ``.lock`` is something else.
    """
    path = directory / LOCK
    check_replaceable(path)
    with room_for(path, BLOCK):
        directory.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="ascii", errors="replace", opener=itself)  # noqa: SIM115
    with file:
        _lock(file, directory)
        if _owner(file).strip("0123456789"):
            raise UserError(
                f"{path}: holds more than the number of a process, so it is no lock of this "
                "program; move it away, or name another folder"
            )
        with room_for(path, BLOCK):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield


def _lock(file: TextIO, directory: Path) -> None:
    """Take the lock, where the disk has such a thing."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"{directory}: process {_owner(file)} is at work in it; wait until that has ended, or "
            "end it (kill), before starting another"
        ) from error
    except OSError as error:
        if error.errno not in UNABLE:
            raise
        warn_once(
            f"{directory}: its disk has no locks ({error.strerror}), so see to it yourself that no "
            "second process is at work in it"
        )


def _owner(file: TextIO) -> str:
    """Read the number of the process that has, or had, the lock."""
    file.seek(0)
    return file.read(MOST).strip()
