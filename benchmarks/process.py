"""Programs that are measured: started, timed, and watched for their memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.errors import RunError

ROOT = Path(__file__).parents[1]
WATCHED_EVERY = 0.05  # seconds


@dataclass(frozen=True)
class Ended:
    """A program that has ended well: its seconds from start to end, its standard output, and the
    most bytes of anonymous memory that it had itself, and that its children had together."""

    seconds: float
    output: str
    memory: int
    children: int


def run_python(*arguments: object) -> Ended:
    """Run Python with `arguments` in the project's folder, to the end. RunError when it fails."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=output, stderr=errors, text=True
        )
        watch = _Watch(process.pid)
        try:
            code = process.wait()
        except BaseException:  # asked to stop: so shall it
            process.kill()
            raise
        seconds = time.monotonic() - start
        watch.join()
        output.seek(0)
        errors.seek(0)
        if code:
            raise RunError(f"python {' '.join(words)}: exit code {code}\n{errors.read()[-2000:]}")
        return Ended(seconds, output.read(), watch.memory, watch.children)


class _Watch(threading.Thread):
    """A look, again and again, at the memory of a process and its children until it has ended."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._process = Path(f"/proc/{pid}")
        self.memory = self.children = 0
        self.start()

    def run(self) -> None:
        while self._process.is_dir():
            self.memory = max(self.memory, _anonymous_memory(self._process))
            children = sum(map(_anonymous_memory, self._children()))
            self.children = max(self.children, children)
            time.sleep(WATCHED_EVERY)

    def _children(self) -> list[Path]:
        try:
            lists = [path.read_text() for path in self._process.glob("task/*/children")]
        except OSError:  # a thread that has just ended
            return []
        return [Path("/proc", pid) for pid in " ".join(lists).split()]


def _anonymous_memory(process: Path) -> int:
    """Read RssAnon in bytes; 0 of a process that has ended."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
