"""The process that trains for the page: told orders, and answering them, as lines of JSON.

Training is no concern of this room: the caller names the command.
"""

from __future__ import annotations

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

# A process that says nothing of its order for so many seconds is taken to hang, and ended.
SILENCE = 600.0
# The most characters of a line that it says.
LONGEST_LINE = 1 << 20
PREFIX = "alexnet_tf-lessons-"
ENDED = "the process that trains has ended; try again"
HANGS = "the process that trains had nothing to say for {:.0f} seconds, and was ended; try again"


@contextmanager
def sessions_folder() -> Iterator[Path]:
    """Make a temporary folder for as long as a block runs; delete those of servers that died."""
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    hidden = Path(mkdtemp(prefix=f".{PREFIX}"))
    with locked(hidden):  # before it has the name by which others find, and might delete, it
        folder = hidden.rename(hidden.with_name(hidden.name[1:]))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class TrainerProcess:
    """The process of `command`, as `subprocess` takes it, for one order after the other.

    Orders are about folders in `folder`, which the process deletes when it outlives the server.
    """

    def __init__(self, command: dict[str, Any], folder: Path, silence: float = SILENCE):
        self.folder = folder
        self._command, self._silence = command, silence
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start the process, unless it runs: it takes seconds, in which pictures are chosen."""
        if not self._turn.locked():
            async with self._turn:
                with suppress(OSError):  # said by the first order
                    await self._running()

    async def do(self, order: str, folder: Path, run: str) -> None:
        """Have an order carried out in a lesson's folder, for that run; UserError or RunError where
        that fails. Who is cancelled meanwhile ends the process, and with it the order."""
        async with self._turn:
            try:
                answer = await self._answer({"order": order, "folder": str(folder), "run": run})
            except BaseException as error:
                await self.close()  # whatever it is doing, nobody waits for that any more
                if isinstance(error, TimeoutError):
                    raise RunError(HANGS.format(self._silence)) from error
                if isinstance(error, OSError | ValueError):
                    raise RunError(ENDED) from error
                raise
        if answer["error"]:
            raise (UserError if answer["by_user"] else RunError)(answer["error"])

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _answer(self, told: dict[str, str]) -> dict[str, Any]:
        process = await self._running()
        process.stdin.write(f"{json.dumps(told)}\n".encode())
        answer: dict[str, Any] = {}
        while "error" not in answer:  # what comes before says that it is at work
            async with asyncio.timeout(self._silence):
                answer = json.loads(await process.stdout.readline())
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            # Not ended by Ctrl-C at the terminal, which ends the server, and so this.
            self._process = await asyncio.create_subprocess_exec(
                *self._command["args"], env=self._command["env"], stdin=pipe, stdout=pipe,
                limit=LONGEST_LINE, start_new_session=True,
            )  # fmt: skip
        return self._process
