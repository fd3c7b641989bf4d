#!/usr/bin/env python3
"""Train AlexNet to tell your own pictures apart: `python -m alexnet_tf train` by another name."""

from __future__ import annotations

import signal

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys

from alexnet_tf.commands import cli, train


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    train.run(cli.parse(parser, sys.argv[1:]))


if __name__ == "__main__":
    cli.run(main, "train_alexnet.py")
