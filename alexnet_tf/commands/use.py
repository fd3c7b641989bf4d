"""``python -m alexnet_tf use``: which run answers where none is named."""

from __future__ import annotations

import argparse

from alexnet_tf.commands import cli
from alexnet_tf.runs.choice import answering_run, choose, described, finished_runs
from alexnet_tf.system.text import printable_lines

HELP = "list the finished runs, or choose the one that answers where none is named"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a finished run, or starter, that answers in this folder from now on",
    )
    parser.add_argument(
        "--latest", action="store_true", help="from now on whichever was finished last answers"
    )


def run(options: argparse.Namespace) -> None:
    """Choose, where that is asked; list the finished runs, and mark the one that answers."""
    if options.latest and options.run:
        cli.refuse(options, ("--latest",), "chooses no RUN; leave one of them out")
    if options.latest or options.run:
        choose(options.run)
    predictor, sentences = answering_run()
    for run in finished_runs():
        mark = "*" if run.directory == predictor.directory else " "
        print(printable_lines(f"{mark} {described(run)}"))
    print(*map(printable_lines, sentences), sep="\n")
