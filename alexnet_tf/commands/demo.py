"""``python -m alexnet_tf demo``: the whole job on drawings."""

from __future__ import annotations

import argparse
from pathlib import Path

from alexnet_tf.commands.demonstrating import demo

HELP = "the whole job on drawings, without any download"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="where it happens (%(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    demo(Path(options.out))
