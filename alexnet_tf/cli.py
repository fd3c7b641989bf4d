"""What every command line shares: exit codes, messages, the log."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path

from alexnet_tf.errors import UserError


def run(main: Callable[[], int | None], name: str) -> None:
    """Run `main` and exit: 0 or what it returns, 2 for bad input, 1 for a failure of the system.

    Neither shows a traceback: their message is a sentence for a person.
    """
    try:
        code = main()
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = 2
    except OSError as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """An argument that must be a whole number, 0 or above."""
    return 0 if text == "0" else positive(text)


def positive_real(text: str) -> float:
    """An argument that must be a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number above 0")
    return number


def open_log(path: str | Path) -> logging.Logger:
    """A log that goes to standard output and, with the time in each line, to the file `path`."""
    log = logging.getLogger("alexnet_tf")
    log.setLevel(logging.INFO)
    log.propagate = False
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for handler in (file, logging.StreamHandler(sys.stdout)):
        log.addHandler(handler)
    return log
