#!/usr/bin/env python3
"""Say what pictures show."""

from __future__ import annotations

import signal

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

from alexnet_tf.commands import cli


def main() -> int:
    """Answer as the command line asks."""
    from alexnet_tf.commands import predict  # here, for what is not installed is told by `cli.run`

    parser = cli.Parser(description=__doc__)
    predict.add_arguments(parser, mode_first=True)
    return predict.run(cli.parse(parser, sys.argv[1:]))


if __name__ == "__main__":
    cli.run(main, "predict_alexnet.py")
