"""The program in processes of a fork server: it has imported TensorFlow, which takes each of them
four seconds of a processor."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import runpy
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer
from typing import Any

from tests.support.places import ROOT

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.support.imported"])


@dataclass(frozen=True)
class Moment:
    """A stretch of what a program does: from a text that `begins` it, for `seconds` at most, until
    one that `ends` it. Texts are lines of the log, and "open PATH"; both are patterns."""

    name: str
    begins: str
    ends: str
    seconds: float


@dataclass(frozen=True)
class Disturbance:
    """A signal, sent a `share` of the seconds of `moment` after its beginning."""

    number: signal.Signals
    moment: Moment
    share: float


def run_forked(
    script: str,
    words: Sequence[object],
    folder: Path,
    output: Path,
    disturbance: Disturbance | None = None,
) -> int:
    """Run a script of the project in `folder`, with standard output and error in the file `output`;
    return its exit code, or −n where signal n has ended it."""
    config = (script, [*map(str, words)], folder, output, disturbance)
    process = SERVER.Process(target=_run, args=config)
    process.start()
    process.join()
    return process.exitcode


def _run(
    script: str, words: list[str], folder: Path, output: Path, disturbance: Disturbance | None
) -> None:
    os.chdir(folder)
    with open(output, "w") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    if disturbance:
        logging.getLogger("alexnet_tf").addHandler(Sender(disturbance))
    sys.argv = [str(ROOT / script), *words]
    runpy.run_path(sys.argv[0], run_name="__main__")


class Sender(logging.Handler):
    """Disturbs this process. Where the moment ends the process waits for the signal, so that none
    comes too late, however fast the machine is."""

    def __init__(self, disturbance: Disturbance):
        super().__init__()
        self._number, self._moment = disturbance.number, disturbance.moment
        self._timer = Timer(disturbance.share * self._moment.seconds, self._send)
        self._sent = Event()
        sys.addaudithook(self._hear)
        self._notice("")

    def emit(self, record: logging.LogRecord) -> None:
        """Hear what is logged."""
        self._notice(record.getMessage())

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._notice(f"open {arguments[0]}")

    def _notice(self, text: str) -> None:
        if self._timer.ident is None:
            if re.match(self._moment.begins, text):
                self._timer.start()
        elif re.match(self._moment.ends, text):
            self._sent.wait()

    def _send(self) -> None:
        os.kill(os.getpid(), self._number)
        self._sent.set()
