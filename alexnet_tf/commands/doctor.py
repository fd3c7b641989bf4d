"""``python -m alexnet_tf doctor``: checks of the installation and of a run."""

import argparse
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.diagnostics import examine
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import printable

HELP = "check this installation, and a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory",
        nargs="?",
        metavar="RUN",
        help="a run directory, in the folder where it was trained",
    )


def run(options: argparse.Namespace) -> int:
    """Print a line for each check; return 2 unless all is well."""
    if options.directory and not Path(options.directory).is_dir():
        raise UserError(f"{options.directory}: is no run directory")
    well = True
    for finding in examine(Run(options.directory) if options.directory else None):
        well = well and finding.is_well
        mark = "ok   " if finding.is_well else "WRONG"
        print(f"{mark}  {finding.name}: {printable(finding.text)}", flush=True)
    return 0 if well else 2
