"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for

# Bytes that the smallest file takes on a disk.
BLOCK = 4096


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Run a block that has `directory` to itself; UserError, naming the process that has it.

    The kernel lets go of the lock ``.lock`` when its process ends, however that came, so a file
    that a dead process left is in nobody's way.
    """
    path = directory / ".lock"
    with room_for(path, BLOCK):
        directory.mkdir(parents=True, exist_ok=True)
        path.touch()
    with open(path, "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{directory}: process {file.read().strip()} is at work in it; wait until that has "
                "ended, or end it (kill), before starting another"
            ) from error
        with room_for(path, BLOCK):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield
