"""A verb of `python -m alexnet_tf` as a user types it, in this process."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from alexnet_tf.commands import cli
from alexnet_tf.system.log import LOG, warn_once


def run_verb(verb: ModuleType, *words: object) -> int | None:
    """Run a module of `alexnet_tf.commands` with the words of a command line; return its code."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(cli.parse(parser, [str(word) for word in words]))


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
