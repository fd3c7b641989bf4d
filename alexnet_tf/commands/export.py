"""``python -m alexnet_tf export``: a run's network for other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.exports.litert import is_litert
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import finished_run
from alexnet_tf.system.files import check_replaceable
from alexnet_tf.system.quiet import import_tensorflow

HELP = "write a run's network for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a finished run")
    parser.add_argument("--format", required=True, choices=("litert",), help="of the file")
    parser.add_argument("--int8", action="store_true", help="weights of 8 bits, a quarter as large")
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="the file (RUN/model.tflite; with --int8 RUN/model.int8.tflite)",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="get ready, and begin when there is a line on standard input",
    )


def run(options: argparse.Namespace) -> None:
    if options.wait:
        import_tensorflow()
        if not sys.stdin.readline():
            return  # whoever would have said so is gone
    run = finished_run(options.run)
    default = run.litert_path.with_suffix(".int8.tflite") if options.int8 else run.litert_path
    path = Path(options.out) if options.out else default
    check_replaceable(path)
    if options.out and path.is_file() and path.stat().st_size and not is_litert(path):
        raise UserError(
            f"{path}: is there already and no LiteRT file; give --out another name, or delete it"
        )
    Engine.of_run(run).write_litert(path, options.int8)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
