"""A verb of `python -m alexnet_tf` as a user types it, in this process."""

from __future__ import annotations

import argparse
from types import ModuleType

from alexnet_tf.commands import cli


def run_verb(verb: ModuleType, *words: object) -> int | None:
    """Run a module of `alexnet_tf.commands` with the words of a command line; return its code."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(cli.parse(parser, [str(word) for word in words]))
