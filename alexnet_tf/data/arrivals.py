"""The pictures that arrive in a folder, each once it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import os

from alexnet_tf.data.kinds import is_meant_as_picture
from alexnet_tf.data.listing import list_files

# Seconds between two looks at a folder; a file that is the same in both is whole.
PERIOD = 1.0
# What browsers and other programs call what they have not got the whole of.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")

# Whatever changes with the content of a file.
State = tuple[int, int, int]


class Arrivals:
    """The pictures below `folder`: what is there, and what comes, until somebody ends the program.

    A picture counts again when it has changed since it was handed out, or comes anew.
    """

    def __init__(self, folder: str, wait: Callable[[float], None] = time.sleep):
        self._folder, self._wait = folder, wait
        self._handed_out: dict[str, State] = {}

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the pictures that have become whole, sorted: again and again, none of them too."""
        before: dict[str, State] = {}
        while True:
            now = self._look()
            still = [path for path, state in now.items() if before.get(path) == state]
            new = [path for path in still if self._handed_out.get(path) != now[path]]
            self._handed_out = {path: self._handed_out[path] for path in now if path in self._handed_out}
            self._handed_out |= {path: now[path] for path in new}
            yield [path for path in new if is_meant_as_picture(path)]
            before = now
            self._wait(PERIOD)

    def _look(self) -> dict[str, State]:
        """Find the files and what state each is in."""
        files, _ = list_files(self._folder)
        states: dict[str, State] = {}
        for path in files:
            if path.lower().endswith(UNFINISHED):
                continue
            try:
                found = os.stat(path)
            except OSError:  # it is gone already
                continue
            if found.st_size:
                states[path] = (found.st_size, found.st_mtime_ns, found.st_ino)
        return states
