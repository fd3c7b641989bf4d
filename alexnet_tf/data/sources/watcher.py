"""The pictures that arrive in a folder, each once it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from alexnet_tf.data.images.decoding import ImageError, decoded
from alexnet_tf.data.images.file_types import is_meant_as_picture
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.system import signals

# Seconds between two looks at a folder: a file that is the same in both may be whole. Where it
# cannot be read, that is believed when it has not changed for so many.
PERIOD, PATIENCE = 1.0, 10.0
# What browsers and others that fetch files call one of which something is missing.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp")

# Size in bytes, time of the last change in seconds, and number of a file.
State = tuple[int, float, int]


def watch_folder(folder: str, wait: Callable[[float], None] = time.sleep) -> Iterator[list[str]]:
    """Yield the pictures below `folder`, sorted, and then for ever those that have come since.

    One that has changed since it was yielded, or was away and is there again, comes again. `wait`
    is called between two looks, with the seconds that these should be apart; a list may be empty.
    """
    known: dict[str, State] = {}
    before: dict[str, State] = {}
    while True:
        now = _look(folder)
        known = {path: known[path] for path in known if path in now}
        new = [path for path in now if known.get(path) != now[path] == before.get(path)]
        whole = [path for path in new if _is_whole(path, now[path])]
        known |= {path: now[path] for path in whole}
        yield [path for path in whole if is_meant_as_picture(path)]
        before = now
        wait(PERIOD)
        signals.check()


def _look(folder: str) -> dict[str, State]:
    """Find the files below `folder`, sorted, and the state that each is in."""
    states: dict[str, State] = {}
    for path in list_files(folder)[0]:
        try:
            found = os.stat(path)
        except OSError:  # it is gone already
            continue
        if found.st_size and not path.lower().endswith(UNFINISHED):
            states[path] = (found.st_size, found.st_mtime, found.st_ino)
    return states


def _is_whole(path: str, state: State) -> bool:
    """Tell whether a file can be read, or has not been written to for long."""
    if time.time() - state[1] > PATIENCE:
        return True
    try:
        with decoded(path):
            return True
    except ImageError:
        return False
