"""Handling of signals that ask the program to end, at once or after the current step. It is active
only inside `listening`: the command lines handle all signals; the library, only Ctrl-C, while it
trains in the main thread."""

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# SIGHUP comes when the terminal closes, unless `nohup` makes it ignored. Windows has none.
SIGNALS = [each for each in signal.Signals if each.name in ("SIGINT", "SIGTERM", "SIGHUP")]
# Seconds after which a waiting thread checks again whether the program was asked to end.
GLANCE = 0.2

_asked: BaseException | None = None
_postponed = False


class Stopped(BaseException):
    """A request to end the program, by a signal; the command lines exit with its `code`. Like
    KeyboardInterrupt it is not an Exception, so that no handler takes it for a failure."""

    def __init__(self, number: signal.Signals):
        super().__init__(f"stopped by {number.name}")
        # As shells report a signal; 143 for SIGHUP too, which has the same effect.
        self.code = 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


@contextmanager
def listening(
    numbers: Sequence[signal.Signals] = SIGNALS,
    again: Callable[..., object] | signal.Handlers = signal.SIG_DFL,
) -> Iterator[None]:
    """Handle `numbers` while the block runs, in the main thread: the first signal raises Stopped
    there; a second one has the handler `again`, which by default ends the program at once. Ignored
    signals stay ignored."""
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
    """Raise Stopped only where `check` is called, and at the end, while the block runs."""
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
    """Raise Stopped if the program was asked to end; does nothing outside the main thread."""
    if _in_main_thread():
        raise_if_stopped()


def raise_if_stopped() -> None:
    """Raise Stopped, in any thread, if the program was asked to end."""
    if _asked:
        raise _asked


def sleep(seconds: float) -> None:
    """Sleep, in any thread; raise Stopped early if the program is asked to end."""
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
    """Raise `error` in the main thread, as if a signal had come; called in another thread."""
    global _asked
    _asked = error
    _thread.interrupt_main(signal.SIGTERM)
