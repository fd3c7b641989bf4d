"""Locks, so that one process at a time works in a folder or creates it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import check_replaceable, open_nofollow
from alexnet_tf.system.log import LOG, warn_once

if sys.platform != "win32":  # where prediction works and needs no lock
    import fcntl

LOCK = ".lock"
# The disk space of the smallest file, in bytes.
BLOCK = 4096
# Errors of file systems without locks: Lustre, NFS, some FUSE.
UNABLE = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
# Longer than any process id, in characters.
MOST = 32


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock ``.lock`` on `directory` while the block runs. The kernel releases it when
    its process ends, for whatever reason, so the file of a dead process blocks nobody. Raises
    UserError if another process, named in the message, has the lock, or if ``.lock`` is not a
    regular file."""
    with _held(directory / LOCK, directory, wait=False):
        yield


@contextmanager
def locked_beside(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on the path `folder`, which need not exist; yield whether the disk has locks. The
    lock, ``.NAME.lock`` beside `folder`, is deleted at the end. Raises UserError as `locked` does
    or, with `wait`, waits until the other process has ended."""
    path = folder.with_name(f".{folder.name}{LOCK}")
    with _held(path, folder, wait) as is_locked:
        try:
            yield is_locked
        finally:
            if is_locked:
                path.unlink(missing_ok=True)


@contextmanager
def _held(path: Path, what: Path, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path` for `what`; yield whether the disk has locks."""
    check_replaceable(path)
    with room_for(path, BLOCK):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with room_for(path, BLOCK):
            file = open(path, "a+", encoding="ascii", errors="replace", opener=open_nofollow)  # noqa: SIM115
        with file:
            is_locked = _lock(file, what, wait)
            if is_locked and not _is_at(file, path):  # its last holder has deleted it
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
    """Tell whether a process of this user had locked `directory`, and has ended."""
    try:
        if sys.platform == "win32" or directory.is_symlink():
            return False
        if directory.stat().st_uid != os.getuid():
            return False
        with open(directory / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # it is running, or never was, or the disk has no locks
        return False


def _lock(file: TextIO, what: Path, wait: bool) -> bool:
    """Take the lock for `what`; tell whether the disk has locks."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        number = _owner(file)  # which it may not have written yet
        owner = f"{what}: {f'process {number}' if number else 'another process'} is at work in it"
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
    """Tell whether the open file is still the one at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    return False


def _owner(file: TextIO) -> str:
    """Read the id of the process that has, or had, the lock."""
    file.seek(0)
    return file.read(MOST).strip()
