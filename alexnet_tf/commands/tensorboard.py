"""``python -m alexnet_tf tensorboard``: TensorBoard, as it suits runs."""

import argparse
import sys
from pathlib import Path
from types import ModuleType

from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import DEFAULT_RUN
from alexnet_tf.system import arguments
from alexnet_tf.system.buckets import is_in_bucket

HELP = "show a run, or all runs below a folder, in TensorBoard"
# By default TensorBoard shows ten of a kind, drawn at random.
SAMPLES = "images=200,text=20,pr_curves=200,histograms=200"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "run",
        nargs="?",
        default=str(DEFAULT_RUN),
        metavar="RUN",
        help=f"a run, or a folder of runs ({DEFAULT_RUN})",
    )
    add("--port", default=9090, type=arguments.port, metavar="N", help="where it is served (9090)")
    add("--host", default="localhost", metavar="NAME", help="by which name (localhost)")


def run(options: argparse.Namespace) -> int:
    path = Path(options.run)
    if path.is_file():
        raise UserError(f"{path}: is a file, where a run, or a folder of runs, is expected")
    if not path.is_dir() and not is_in_bucket(options.run):
        print(f"{path}: does not exist yet; a training there will appear", file=sys.stderr)
    # With a module of this name TensorBoard does not import TensorFlow, which takes seconds.
    sys.modules["tensorboard.compat.notf"] = ModuleType("notf")
    from tensorboard import program

    server = program.TensorBoard()
    flags = {"logdir": options.run, "port": options.port, "host": options.host}
    flags["samples_per_plugin"] = SAMPLES
    server.configure(["", *(f"--{name}={value}" for name, value in flags.items())])
    return 1 if server.main() else 0
