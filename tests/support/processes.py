"""Programs that run beside a test, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def running(words: Sequence[object], **options) -> Iterator[subprocess.Popen[str]]:
    """Start a program for as long as a block runs; kill what is left of it and of its children.

    Its output is text, in pipes unless `options` of Popen say otherwise. It has a session of its
    own, in which no signal for pytest arrives.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    options = pipes | options | {"start_new_session": True}
    with subprocess.Popen([*map(str, words)], **options) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def read_until(process: subprocess.Popen[str], line: str, pipe: IO[str] | None = None) -> str:
    """Read what a program prints until `line` is in a line; return what was read.

    `pipe` is its standard output unless it is given. Raises AssertionError when it ends before.
    """
    said = []
    for each in pipe or process.stdout:
        said.append(each)
        if line in each:
            return "".join(said)
    raise AssertionError(f"{''.join(said)}ended with {process.wait()} before it said {line!r}")


def wait_until(happens: Callable[[], object]) -> None:
    """Wait until `happens` returns something true; pytest-timeout ends what waits in vain."""
    while not happens():
        time.sleep(0.02)
