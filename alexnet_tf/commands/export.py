"""``python -m alexnet_tf export``: a run's network for other programs."""

import argparse
import sys

from alexnet_tf.commands import common_options as common
from alexnet_tf.export.exporter import PLACES, export_run
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import finished_run
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow

HELP = "write a run's network for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a finished run (the latest)")
    add("--format", required=True, choices=(*PLACES,), help="of what is written")
    add("--int8", action="store_true", help="litert: weights of 8 bits, a quarter as large")
    common.add_crops(parser)
    add("--out", type=arguments.output, metavar="PATH", help="the file or folder (RUN/FORMAT/…)")
    add("--wait", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    if options.wait:
        import_tensorflow()
        if sys.stdin.readline():  # else the parent process is gone
            Engine.of_run(finished_run(options.run)).write_litert()
        return
    (run,) = common.named_runs([options.run] if options.run else [])
    made = export_run(run, options.format, options.out, options.int8, options.crops)
    print(f"{made.path}: {made.bytes() / 1e6:.0f} MB")
    print(f"the largest difference from the run on {made.compared}: {made.difference:.1e}")
