"""``python -m alexnet_tf report``: a page about a run, or about several side by side."""

import argparse
from pathlib import Path

from alexnet_tf.commands import common_options as common
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow

HELP = "write a page about a run, or about several side by side"
# Where a page about several runs goes: into none of them.
SEVERAL = Path("report.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a finished run, in the folder where it was trained; several are compared"
        " (the latest)",
    )
    parser.add_argument(
        "--out",
        type=arguments.output,
        metavar="FILE",
        help=f"where the page goes (RUN/report.html; {SEVERAL} for several)",
    )


def run(options: argparse.Namespace) -> None:
    runs = common.named_runs(options.runs)
    import_tensorflow()
    from alexnet_tf.reports.comparison_report import write_comparison_report
    from alexnet_tf.reports.run_report import write_report

    if len(runs) == 1:
        print(write_report(runs[0], options.out))
    else:
        print(write_comparison_report(runs, options.out or SEVERAL))
