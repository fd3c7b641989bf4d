"""Standard output and error that survive being closed, full, or unread as after `head`."""

import errno
import io
import os
import re
import sys
from typing import Any

# Errors of output that nobody reads: from a pipe, and from a closed terminal.
UNREAD = {errno.EPIPE, errno.EIO}
# Explicit embeddings, overrides and isolates of bidirectional text (Unicode UAX 9, section 2).
REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")

_unread: set[int] = set()


def settle() -> None:
    """Make standard output and error safe to write to: characters beyond UTF-8, and those that
    reorder text, are shown as escapes; output that nobody reads is dropped, and the work goes on. A
    full disk under standard output raises OSError once."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise the next opened file gets this descriptor, with TensorFlow's messages.
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream, own = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif stream is own and sys.platform != "win32":
            # Descriptor 2 is redirected to keep libraries quiet (`quiet.silenced`).
            descriptor = os.dup(number) if number == 2 else number
            setattr(sys, name, _text(descriptor, stream.encoding))
        else:
            stream.reconfigure(errors="backslashreplace")


def is_read() -> bool:
    """Tell whether standard output still has a reader, as far as is known."""
    return 1 not in _unread


def _text(number: int, encoding: str) -> io.TextIOWrapper:
    output = _Output(io.FileIO(number, "w", closefd=False))
    return _Text(output, encoding, "backslashreplace", line_buffering=True)


class _Text(io.TextIOWrapper):
    """A text stream that escapes the characters by which a terminal reorders the rest of a line."""

    def write(self, text: str) -> int:
        return super().write(REORDERING.sub(lambda match: ascii(match[0])[1:-1], text))


class _Output(io.BufferedWriter):
    """A buffered writer that drops output that nobody reads. The raw file below cannot do so: if a
    signal raised while it wrote, it would be asked to write the same data again."""

    def write(self, data: Any) -> int:
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
        if isinstance(error, BlockingIOError):  # a slow reader
            raise error
        _unread.add(self.fileno())
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if error.errno not in UNREAD and self.fileno() == 1:
            raise OSError(error.errno, error.strerror, "standard output") from error
        super().flush()
