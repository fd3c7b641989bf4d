"""``python -m alexnet_tf data``: pictures → lists."""

from __future__ import annotations

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.data.archive import DEFAULT_LIMITS, Limits
from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.sources import DATA_FOLDER, PHOTOS, NoPictures
from alexnet_tf.system import arguments

HELP = "list and split pictures into train.txt and val.txt, or fetch some first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        default=str(DATA_FOLDER),
        metavar="SOURCE",
        help="a folder of cat.N.jpg and dog.N.jpg, a folder with a folder for each class, a zip of"
        " either, or lists (%(default)s, where 25,000 photos of cats and dogs are fetched to if"
        " there are no pictures yet)",
    )
    parser.add_argument(
        "--out",
        default=str(DATA_FOLDER),
        metavar="DIR",
        help="where train.txt, val.txt, classes.txt and rejected.txt go (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=arguments.natural, default=0, metavar="N", help="of the split"
    )
    for what in ("files", "bytes"):
        parser.add_argument(
            f"--max-{what}",
            type=arguments.positive,
            default=getattr(DEFAULT_LIMITS, what),
            metavar="N",
            help=f"the most {what} to unpack from a zip (%(default)s)",
        )
    cli.add_places(parser)


def run(options: argparse.Namespace) -> None:
    source = Path(options.source)
    limits = Limits(options.max_files, options.max_bytes)
    try:
        dataset = open_dataset(source, options.seed, limits)
    except NoPictures:
        if source != DATA_FOLDER:
            raise
        source = PHOTOS.fetch(DATA_FOLDER, options.mirror, options.places)
        dataset = open_dataset(source, options.seed, limits)
    out = Path(options.out)
    listed = source in (out, out / "train.txt") and (out / "train.txt").is_file()
    if not listed:
        write_lists(dataset, out)
    print(dataset.summary())
    if listed:
        print(f"as {out / 'train.txt'} has it; delete that file to list the pictures anew")
