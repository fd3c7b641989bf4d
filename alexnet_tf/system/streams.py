"""Standard output and error: closed, full, or read by somebody who has gone, as `head` does."""

from __future__ import annotations

import errno
import io
import os
import re
import sys

# What is answered to output that nobody reads: by a pipe, and by a terminal that was closed.
UNREAD = {errno.EPIPE, errno.EIO}
NAMES = ("stdin", "stdout", "stderr")

# Explicit embeddings, overrides and isolates of bidirectional text (Unicode UAX 9, section 2).
REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")

_unread: set[int] = set()


def settle() -> None:
    """Make standard output and error safe to write to; what is beyond UTF-8, and what reorders
    text, is shown as escapes.

    What nobody reads is dropped, and the work goes on. A full disk under standard output is an
    OSError, once.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened gets the number, and TensorFlow's remarks in it.
            os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        name = NAMES[number]
        stream, own = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif stream is own and sys.platform != "win32":
            # The descriptor 2 is lent to what keeps libraries quiet (`quiet.no_remarks`).
            descriptor = os.dup(number) if number == 2 else number
            setattr(sys, name, _text(descriptor, stream.encoding))
        else:
            stream.reconfigure(errors="backslashreplace")


def is_read() -> bool:
    """Tell whether somebody reads standard output, as far as is known yet."""
    return 1 not in _unread


def _text(number: int, encoding: str) -> io.TextIOWrapper:
    output = _Output(io.FileIO(number, "w", closefd=False))
    return _Text(output, encoding, "backslashreplace", line_buffering=True)


class _Text(io.TextIOWrapper):
    """Shows as escapes what would have a terminal show the rest of a line in another order."""

    def write(self, text: str) -> int:
        return super().write(REORDERING.sub(lambda match: ascii(match[0])[1:-1], text))


class _Output(io.BufferedWriter):
    """Drops what nobody reads.

    That is not left to the file below: had that written when a signal raises, it would be asked to
    write the same again.
    """

    def write(self, data) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self._drop(error)
            return len(data)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if isinstance(error, BlockingIOError):  # somebody is slow to read
            raise error
        _unread.add(self.fileno())
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if error.errno not in UNREAD and self.fileno() == 1:
            raise OSError(error.errno, error.strerror, "standard output") from error
        super().flush()
