"""The trainer process of the page: it receives orders and replies, in lines of JSON.

This package does not depend on training: the caller passes the command.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system.locks import is_abandoned, locked

# Seconds without output after which a process is considered hung, and killed.
SILENCE = 600.0
# Longest line of output, in characters.
LONGEST_LINE = 1 << 20
PREFIX = "alexnet_tf-lessons-"
ENDED = "the process that trains has ended; try again"
HANGS = "the process that trains had nothing to say for {:.0f} seconds, and was ended; try again"


@contextmanager
def sessions_folder() -> Iterator[Path]:
    """Create a temporary folder for a block; delete the folders of servers that were killed."""
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    hidden = Path(mkdtemp(prefix=f".{PREFIX}"))
    with locked(hidden):  # before it has its final name, by which other servers could delete it
        folder = hidden.rename(hidden.with_name(hidden.name[1:]))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class TrainerProcess:
    """The process of `command`, as `subprocess` takes it, which carries out one order at a time on
    folders in `folder`, which it deletes if it outlives the server."""

    def __init__(self, command: dict[str, Any], folder: Path, silence: float = SILENCE):
        self.folder = folder
        self._command, self._silence = command, silence
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start the process, unless it is running, before it is needed: starting takes seconds."""
        if not self._turn.locked():
            async with self._turn:
                with suppress(OSError):  # reported by the first order
                    await self._running()

    async def do(self, order: str, folder: Path, run: str) -> None:
        """Carry out an order in a session's folder, for that run; UserError or RunError if it
        fails. Cancellation ends the process, and so the order."""
        async with self._turn:
            try:
                reply = await self._request({"order": order, "folder": str(folder), "run": run})
            except BaseException as error:
                await self.close()  # the process's current work is no longer wanted
                if isinstance(error, TimeoutError):
                    raise RunError(HANGS.format(self._silence)) from error
                if isinstance(error, OSError | ValueError):
                    raise RunError(ENDED) from error
                raise
        if reply["error"]:
            raise (UserError if reply["by_user"] else RunError)(reply["error"])

    async def close(self) -> None:
        """Kill the process, whatever it is doing."""
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _request(self, order: dict[str, str]) -> dict[str, Any]:
        process: Any = await self._running()
        process.stdin.write(f"{json.dumps(order)}\n".encode())
        reply: dict[str, Any] = {}
        while "error" not in reply:  # earlier lines only report progress
            async with asyncio.timeout(self._silence):
                reply = json.loads(await process.stdout.readline())
        return reply

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            # Ctrl-C at the terminal does not reach it: it ends the server, which ends this process.
            self._process = await asyncio.create_subprocess_exec(
                *self._command["args"], env=self._command["env"], stdin=pipe, stdout=pipe,
                limit=LONGEST_LINE, start_new_session=True,
            )  # fmt: skip
        return self._process
