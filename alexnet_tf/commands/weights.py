"""``python -m alexnet_tf weights``: fetch and check."""

from __future__ import annotations

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.starter import weights_path
from alexnet_tf.system import arguments
from alexnet_tf.weights.loading import read_weights_file
from alexnet_tf.weights.published import PRETRAINED, WEIGHTS_FOLDER

HELP = "fetch and check pretrained weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        type=arguments.place,
        default=next(iter(PRETRAINED)),
        metavar="NAME",
        help=f"{', '.join(PRETRAINED)}, which go to {WEIGHTS_FOLDER}/, or any other file, which is"
        " only checked; starter is the one that comes with the program (%(default)s)",
    )
    cli.add_places(parser)


def run(options: argparse.Namespace) -> None:
    path = weights_path(options.name)
    if path.name in PRETRAINED and path.parent in (Path(), WEIGHTS_FOLDER):
        path = PRETRAINED[path.name].fetch(WEIGHTS_FOLDER, options.mirror, options.places)
    elif not path.exists():
        raise UserError(
            f"{path}: there is no such file; those that can be fetched are {', '.join(PRETRAINED)}"
        )
    file = read_weights_file(path)
    print(f"{path}: {file.recognized().name}")
    for name, (kernel, _) in file.layers.items():
        print(f"{name}  {' × '.join(map(str, kernel.shape))}")
