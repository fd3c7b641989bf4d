"""``python -m alexnet_tf use``: the default run."""

import argparse

from alexnet_tf.commands import cli
from alexnet_tf.runs.choice import choose, default_run, described, finished_runs
from alexnet_tf.system.text import printable_lines

HELP = "list the finished runs, or choose the default one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "run",
        nargs="?",
        metavar="RUN",
        help="a finished run, or starter, to use in this folder from now on if none is named",
    )
    add("--latest", action="store_true", help="use whichever run was finished last from now on")


def run(options: argparse.Namespace) -> None:
    """Choose the default run if asked to; list the finished runs, and mark the default one."""
    if options.latest and options.run:
        cli.refuse(options, ("--latest",), "chooses no RUN; leave one of them out")
    if options.latest or options.run:
        choose(options.run)
    default, sentences = default_run()
    for run in finished_runs():
        mark = "*" if run.directory == default.directory else " "
        print(printable_lines(f"{mark} {described(run)}"))
    print(*map(printable_lines, sentences), sep="\n")
