"""What every command line shares: exit codes, messages, the log."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system import signals
from alexnet_tf.system.disk import NoRoom, is_full
from alexnet_tf.system.text import printable_lines

LOG = logging.getLogger("alexnet_tf")
LOG.setLevel(logging.INFO)
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


def run(main: Callable[[], int | None], name: str) -> None:
    """Run `main` and exit: 0 or what it returns, 2 for bad input, 1 for a failure of the system.

    A signal that asks to end it gives 130 or 143, as a shell would say. None of these shows a
    traceback: their message, on standard error and in the log where one is open, is a sentence for
    a person.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself
    try:
        with signals.listening():
            code = main()
    except UserError as error:
        code = _report(name, error, 2)
    except (RunError, OSError) as error:
        code = _report(name, error, 1)
    except signals.Stopped as stop:
        code = _report(name, stop, stop.code)
    sys.exit(code)


def _report(name: str, message: object, code: int) -> int:
    print(f"{name}: {printable_lines(message)}", file=sys.stderr)
    LOG.error("%s", message)
    return code


class _LogFile(logging.FileHandler):
    """A log file that raises NoRoom when the disk is full, and then is written to no more."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exception()
        if not is_full(error):
            return super().handleError(record)
        LOG.removeHandler(self)
        raise NoRoom(Path(self.baseFilename), len(self.format(record))) from error


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options of whatever fetches a file."""
    parser.add_argument(
        "--from",
        dest="places",
        action="append",
        default=[],
        metavar="PATH_OR_URL",
        help="where to fetch the file from, instead of its publisher; several are tried in order",
    )
    parser.add_argument(
        "--mirror",
        default=os.environ.get("ALEXNET_TF_MIRROR"),
        metavar="DIR_OR_URL",
        help="a folder to look for the file in first ($ALEXNET_TF_MIRROR)",
    )


def open_log(path: str | Path) -> logging.Logger:
    """Open a log that goes to standard output and, with times, to the end of the file `path`."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = _LogFile(path, encoding="utf-8")
    file.setFormatter(_Printable("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(_Printable())
    screen.addFilter(lambda record: record.levelno < logging.ERROR)  # standard error has those
    for handler in (file, screen):
        LOG.addHandler(handler)
    return LOG


class _Printable(logging.Formatter):
    """Lines safe to show: names are a stranger's, and may be meant for the terminal to obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))
