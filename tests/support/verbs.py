"""A command line as a user types it, in this process."""

from __future__ import annotations

import argparse
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

from alexnet_tf.commands import cli
from alexnet_tf.system.log import LOG, warn_once
from tests.support.places import ROOT


def run_verb(verb: ModuleType, *words: object) -> int | None:
    """Run a module of `alexnet_tf.commands` with the words of a command line; return its code."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(cli.parse(parser, [str(word) for word in words]))


def run_script(folder: Path, *words: object) -> int:
    """Run a script of the project, or ``alexnet_tf``, in `folder` as if it were a process of its
    own; return its exit code."""
    script, *rest = map(str, words)
    path = str(ROOT / (script if script.endswith(".py") else f"{script}/__main__.py"))
    at_start = signal.getsignal(signal.SIGINT)
    try:
        with chdir(folder), mock.patch.object(sys, "argv", [path, *rest]), own_log():
            runpy.run_path(path, run_name="__main__")
    except SystemExit as ended:
        return ended.code or 0
    finally:
        signal.signal(signal.SIGINT, at_start)  # a script lets it end the process
    raise AssertionError(f"{script} has not ended by sys.exit")


@contextmanager
def own_log() -> Iterator[None]:
    """Let a block warn as if nothing had been warned of, and listen to the log until it ends."""
    before = LOG.handlers[:]
    warn_once.cache_clear()
    try:
        yield
    finally:
        for handler in set(LOG.handlers) - set(before):
            LOG.removeHandler(handler)
            handler.close()
