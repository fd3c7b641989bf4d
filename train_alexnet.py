#!/usr/bin/env python3
"""Train AlexNet to tell your own pictures apart: `python -m alexnet_tf train` by another name."""

from __future__ import annotations

import signal

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

from alexnet_tf.commands import cli


def main() -> None:
    """Train as the command line says."""
    from alexnet_tf.commands import train  # here, for what is not installed is told by `cli.run`

    parser = cli.Parser()
    train.add_arguments(parser)
    train.run(cli.parse(parser, sys.argv[1:]))


if __name__ == "__main__":
    cli.run(main, "train_alexnet.py")
