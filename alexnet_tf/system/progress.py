"""A progress bar at a terminal or in a notebook; nothing in a log file. `tqdm.auto` would be one
more package of the core, and needs ipywidgets to show bars in a notebook."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Item = TypeVar("Item")
WIDTH = 30

Show = Callable[[str], None]
_in_cell: ContextVar[Show | None] = ContextVar("_in_cell", default=None)


@contextmanager
def one_bar() -> Iterator[Show]:
    """Show all bars of the block, in a notebook, one after the other in one line below the cell;
    yield a function that shows a text in their place. Outside a notebook it shows nothing."""
    show = _line_of_cell() if _is_notebook() else None
    token = _in_cell.set(show)
    try:
        yield show or (lambda text: None)
    finally:
        _in_cell.reset(token)


def _is_notebook() -> bool:
    """Tell whether this runs in Jupyter, where standard error is not a terminal."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


def _line_of_cell() -> Show:
    """Return a function that replaces the text below the cell; "" shows nothing."""
    from IPython.display import display

    shown: list[Any] = []

    def show(text: str) -> None:
        data = {"text/plain": text} if text else {}
        if shown:
            shown[0].update(data, raw=True)
        elif text:
            handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            shown.append(handle)

    return show


def _show_at_terminal(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr)


def progress(
    items: Iterable[Item],
    total: float,
    what: str,
    done: int = 0,
    weigh: Callable[[Item], int] = lambda item: 1,
    unit: float = 1,
) -> Iterator[Item]:
    """Yield the `items` while a bar shows the completed part of `total`, which may be infinite: on
    standard error at a terminal, and in a notebook inside `one_bar`. Each item adds `weigh(item)`
    to the initial `done`; the numbers shown are multiples of `unit`."""
    is_terminal = sys.stderr.isatty()
    show = _show_at_terminal if is_terminal else _in_cell.get()
    if not show:
        yield from items
        return
    before, start = done, time.monotonic()
    shown = start
    try:
        for item in items:
            yield item
            done += weigh(item)
            now = time.monotonic()
            if now - shown > 0.1 or done == total:
                shown = now
                left = (now - start) * (total - done) / (done - before)
                filled = int(WIDTH * done / total)
                bar = "#" * filled + "-" * (WIDTH - filled)
                count = f"{done / unit:.0f}/{total / unit:.0f}"
                show(f"{what} [{bar}] {count} {left:4.0f} s left ")
    finally:
        if is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
