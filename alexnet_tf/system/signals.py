"""Signals that ask a program to end: it ends at once, or when what it is doing is finished.

A library is not asked: only inside `listening`, which the command lines open, are signals ours.
"""

from __future__ import annotations

import _thread
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# SIGHUP comes when the terminal closes, unless `nohup` has it ignored. Windows has none.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_asked: BaseException | None = None
_postponed = False


class Stopped(BaseException):
    """Somebody asked the program to end, by `signal`. The command lines exit with 128 + `signal`.

    Like KeyboardInterrupt it is no Exception, so that nobody takes it for a failure.
    """

    def __init__(self, number: signal.Signals):
        super().__init__(f"stopped by {number.name}")
        # As shells report a program that a signal ended; 143 for SIGHUP too, which asks the same.
        self.code = 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


@contextmanager
def listening() -> Iterator[None]:
    """Run a block in which the first signal raises Stopped, and a second ends the program at once.

    Signals that are ignored stay so. Needs the main thread, which gets the exception.
    """
    global _asked
    before = {number: signal.getsignal(number) for number in SIGNALS}
    listened = [number for number in SIGNALS if before[number] != signal.SIG_IGN]

    def receive(number: int, frame: object) -> None:
        global _asked
        _asked = _asked or Stopped(signal.Signals(number))
        for each in listened:
            signal.signal(each, signal.SIG_DFL)
        if not _postponed:
            check()

    for number in listened:
        signal.signal(number, receive)
    try:
        yield
    finally:
        _asked = None
        for number in listened:
            signal.signal(number, before[number])


@contextmanager
def postponed() -> Iterator[None]:
    """Run a block in which Stopped comes only where `check` is called, and at its end."""
    global _postponed
    _postponed = True
    try:
        yield
    finally:
        _postponed = False
    check()


def check() -> None:
    """Raise Stopped if the program was asked to end."""
    if _asked:
        raise _asked


def is_asked() -> bool:
    """Tell whether the program was asked to end."""
    return _asked is not None


def interrupt(error: BaseException) -> None:
    """Have `error` raised in the main thread as if a signal had come; called in another one."""
    global _asked
    _asked = error
    _thread.interrupt_main(signal.SIGTERM)
