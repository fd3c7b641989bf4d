"""A folder watcher, which yields new pictures once they are complete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from alexnet_tf.data.images.decoding import is_readable
from alexnet_tf.data.images.file_types import is_meant_as_picture
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.system import signals

# Seconds between two scans of a folder, in which a complete file must be the same; and seconds
# without a change after which an unreadable file counts as broken, not incomplete.
PERIOD, PATIENCE = 1.0, 10.0
# The suffixes that browsers and other programs give to incomplete downloads.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp")

# The size of a file in bytes, its modification time in seconds, and its inode number.
State = tuple[int, float, int]


def watch_folder(folder: str, wait: Callable[[float], None] = time.sleep) -> Iterator[list[str]]:
    """Yield the pictures below `folder`, sorted, and then, forever, the new ones of each scan.

    A picture that has changed since, or was gone for a while, is yielded again. `wait` is called
    between two scans with the seconds between them; a yielded list may be empty.
    """
    known: dict[str, State] = {}
    before: dict[str, State] = {}
    while True:
        now = _scan(folder)
        known = {path: known[path] for path in known if path in now}
        new = [path for path in now if known.get(path) != now[path] == before.get(path)]
        complete = [path for path in new if _is_complete(path, now[path])]
        known |= {path: now[path] for path in complete}
        yield [path for path in complete if is_meant_as_picture(path)]
        before = now
        wait(PERIOD)
        signals.check()


def _scan(folder: str) -> dict[str, State]:
    """Return the files below `folder`, sorted, with their states."""
    states: dict[str, State] = {}
    for path in list_files(folder)[0]:
        try:
            found = os.stat(path)
        except OSError:  # already deleted
            continue
        if found.st_size and not path.lower().endswith(UNFINISHED):
            states[path] = (found.st_size, found.st_mtime, found.st_ino)
    return states


def _is_complete(path: str, state: State) -> bool:
    """Tell whether a file is readable, or has not been written to for `PATIENCE` seconds.

    A later time than now is of another clock, or was copied along with the file.
    """
    return abs(time.time() - state[1]) > PATIENCE or is_readable(path)
