"""``python -m alexnet_tf weights``: fetch, check and convert."""

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.starter import weights_path
from alexnet_tf.system import arguments
from alexnet_tf.system.buckets import is_in_bucket
from alexnet_tf.weights.formats import WRITERS
from alexnet_tf.weights.loading import WEIGHTS_FOLDER, find_weights, read_weights_file
from alexnet_tf.weights.published import PRETRAINED, fetch_bvlc

HELP = "fetch, check and convert pretrained weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        type=arguments.place,
        metavar="NAME",
        help=f"{', '.join(PRETRAINED)}, which go to {WEIGHTS_FOLDER}/, or any other file, which is"
        " only checked; starter is the one that comes with the program (BVLC AlexNet, in the first"
        " of its formats that arrives)",
    )
    parser.add_argument(
        "--to",
        metavar="FILE",
        help=f"write the layers into a new file too, {' or '.join(WRITERS)}, bit for bit as they"
        " are read",
    )
    cli.add_places(parser)


def run(options: argparse.Namespace) -> None:
    target = _target(options.to)
    file = read_weights_file(_find(options))
    print(f"{file.path}: {file.described()}")
    for name, (kernel, _) in file.layers.items():
        print(f"{name}  {' × '.join(map(str, kernel.shape))}")
    if target:
        WRITERS[target.suffix](file.layers, file.order, target)
        print(f"written: {target}")


def _find(options: argparse.Namespace) -> Path:
    """Return the path of what is named, fetched if it is a published file."""
    if options.name is None:
        return fetch_bvlc(*cli.places(options))
    path = find_weights(options.name) if is_in_bucket(options.name) else weights_path(options.name)
    if path.name in PRETRAINED and path.parent in (Path(), WEIGHTS_FOLDER):
        return PRETRAINED[path.name].fetch(WEIGHTS_FOLDER, *cli.places(options))
    names = ", ".join(PRETRAINED)
    cli.refuse(options, cli.PLACES, f"nothing is fetched, because {path} is none of {names}")
    if not path.exists():
        raise UserError(f"{path}: there is no such file; those that can be fetched are {names}")
    return path


def _target(name: str | None) -> Path | None:
    """Return the path to write to; UserError before anything is fetched if it cannot be."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix not in WRITERS:
        raise UserError(f"{path}: weights are written to files called {' or '.join(WRITERS)}")
    if path.exists():
        raise UserError(f"{path}: is there already; give another name")
    return path
