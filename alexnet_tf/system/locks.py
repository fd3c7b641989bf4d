"""One process at a time in a folder, or at making one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import check_replaceable, open_nofollow
from alexnet_tf.system.log import LOG, warn_once

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
    with _held(directory / LOCK, directory, wait=False):
        yield


@contextmanager
def locked_beside(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Run a block that has the path `folder` to itself, where nothing need be yet; yield whether
    the disk has locks.

    The lock, ``.NAME.lock`` beside it, is gone at the end. Raises UserError as `locked`, but with
    `wait` waits until the other process has ended.
    """
    path = folder.with_name(f".{folder.name}{LOCK}")
    with _held(path, folder, wait) as is_locked:
        try:
            yield is_locked
        finally:
            if is_locked:
                path.unlink(missing_ok=True)


@contextmanager
def _held(path: Path, what: Path, wait: bool) -> Iterator[bool]:
    """Run a block that has the lock `path` on `what`; yield whether the disk has such a thing."""
    check_replaceable(path)
    with room_for(path, BLOCK):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with room_for(path, BLOCK):
            file = open(path, "a+", encoding="ascii", errors="replace", opener=open_nofollow)  # noqa: SIM115
        with file:
            is_locked = _lock(file, what, wait)
            if is_locked and not _is_at(file, path):  # whoever had it has deleted it
                continue
            if _owner(file).strip("0123456789"):
                raise UserError(
                    f"{path}: holds more than the number of a process, so it is no lock of this "
                    "program; move it away, or name another folder"
                )
            with room_for(path, BLOCK):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
            yield is_locked
            return


def is_abandoned(directory: Path) -> bool:
    """Tell whether a process of this user had `directory` to itself, and has ended."""
    try:
        if not fcntl or directory.is_symlink() or directory.stat().st_uid != os.getuid():
            return False
        with open(directory / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # it has not, or never was there, or the disk has no locks
        return False


def _lock(file: TextIO, what: Path, wait: bool) -> bool:
    """Take the lock on `what`; tell whether the disk has such a thing."""
    if not fcntl:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = f"{what}: process {_owner(file)} is at work in it"
        if not wait:
            raise UserError(
                f"{owner}; wait until that has ended, or end it (kill), before starting another"
            ) from error
        LOG.warning("%s, and is waited for", owner)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
        warn_once(
            f"{what}: its disk has no locks ({error.strerror}), so see to it yourself that no "
            "second process is at work in it"
        )
        return False
    return True


def _is_at(file: TextIO, path: Path) -> bool:
    """Tell whether an open file is still what is called `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    return False


def _owner(file: TextIO) -> str:
    """Read the number of the process that has, or had, the lock."""
    file.seek(0)
    return file.read(MOST).strip()
