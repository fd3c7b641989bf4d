"""Signals that ask a program to end: it ends at once, or when what it is doing is finished.

Only inside `listening` are signals ours. The command lines listen to all; the library, while it
trains in the main thread, to Ctrl-C.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# SIGHUP comes when the terminal closes, unless `nohup` has it ignored. Windows has none.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

# Seconds after which one who waits looks again whether the program was asked to end.
GLANCE = 0.2

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
def listening(
    numbers: Sequence[signal.Signals] = SIGNALS, again: Callable | signal.Handlers = signal.SIG_DFL
) -> Iterator[None]:
    """Run a block in which the first of these signals raises Stopped, and a second has the handler
    `again`, which ends the program at once unless it is told otherwise.

    Signals that are ignored stay so. Needs the main thread, which gets the exception.
    """
    global _asked
    before = {number: signal.getsignal(number) for number in numbers}
    listened = [number for number in numbers if before[number] != signal.SIG_IGN]

    def receive(number: int, frame: object) -> None:
        global _asked
        _asked = _asked or Stopped(signal.Signals(number))
        for each in listened:
            signal.signal(each, again)
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
    if not _in_main_thread():
        yield
        return
    _postponed = True
    try:
        yield
    finally:
        _postponed = False
    check()


def check() -> None:
    """Raise Stopped if the program was asked to end, which only its main thread hears."""
    if _in_main_thread():
        raise_if_stopped()


def raise_if_stopped() -> None:
    """Raise Stopped, in any thread, if the program was asked to end."""
    if _asked:
        raise _asked


def sleep(seconds: float) -> None:
    """Sleep in any thread, but no longer than until the program is asked to end: Stopped."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        raise_if_stopped()
        time.sleep(min(left, GLANCE))


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def is_stop_requested() -> bool:
    """Tell whether the program was asked to end."""
    return _asked is not None


def interrupt(error: BaseException) -> None:
    """Have `error` raised in the main thread as if a signal had come; called in another one."""
    global _asked
    _asked = error
    _thread.interrupt_main(signal.SIGTERM)
