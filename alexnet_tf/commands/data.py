"""``python -m alexnet_tf data``: pictures → lists."""

import argparse
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.data.digests import DIGESTS
from alexnet_tf.data.shards import check_new, write_shards
from alexnet_tf.data.sources.listing import DATA_FOLDER
from alexnet_tf.data.sources.manifest import NoPictures, Wanted
from alexnet_tf.data.sources.open import PHOTOS
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, UnpackLimits
from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow

# What a folder that this program has listed pictures in always has.
ALWAYS_WRITTEN = ("classes.txt", "rejected.txt")
SHARDS_FOLDER = DATA_FOLDER / "shards"
LISTS = ("train.txt", "val.txt", "test.txt", "classes.txt", "rejected.txt", DIGESTS)

HELP = "list and split pictures into train.txt and val.txt, or fetch some first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="*",
        action=arguments.Together,
        default=str(DATA_FOLDER),
        metavar="SOURCE",
        help="a folder with a folder for each class, or of cat.N.jpg and dog.N.jpg, also split into"
        " train/, val/ and test/; a zip or .tar.gz of such a folder; or lists, also CSV, also"
        f" several ({DATA_FOLDER}, where 25,000 photos of cats and dogs are fetched to if there are"
        " none yet)",
    )
    parser.add_argument(
        "--out",
        type=arguments.output,
        metavar="DIR",
        help="where train.txt, val.txt, test.txt, classes.txt, rejected.txt and pictures.sha256 go"
        f" ({DATA_FOLDER}; with --shards a new folder, {SHARDS_FOLDER})",
    )
    parser.add_argument(
        "--shards",
        type=arguments.positive,
        metavar="N",
        help="write the pictures themselves, too, those to train with into N files of TFRecords;"
        " stopped, the same command resumes",
    )
    parser.add_argument("--seed", type=arguments.seed, metavar="N", help="of the split (0)")
    add_options(parser, Settings, ("label", "split"), defaults=False)
    for what in ("files", "bytes"):
        parser.add_argument(
            f"--max-{what}",
            type=arguments.count_of_bytes,
            default=getattr(DEFAULT_LIMITS, what),
            metavar="N",
            help=f"the most {what} to unpack from a zip or tar (%(default)s)",
        )
    cli.add_places(parser)


def run(options: argparse.Namespace) -> None:
    source, limits = options.source, UnpackLimits(options.max_files, options.max_bytes)
    if Path(source) != DATA_FOLDER:
        cli.refuse(options, cli.PLACES, f"nothing is fetched but to {DATA_FOLDER}/; leave it out")
    if options.shards:
        folder = options.out or SHARDS_FOLDER
        check_new(folder)
        dataset = _open(options, limits)
        import_tensorflow()
        dataset = write_shards(dataset, folder, options.shards)
        print(dataset.summary())
        print(f"in {folder}: train with --data {folder}")
        return
    out = options.out or DATA_FOLDER
    listed = Path(source) in (out, out / "train.txt") and (out / "train.txt").is_file()
    anew = (
        f"to list and split the pictures anew, name what they are in; if that is {out} itself, "
        "delete train.txt first"
    )
    if not listed:
        _check_lists(out)
    elif options.seed is not None:
        raise UserError(f"{out / 'train.txt'}: says what is trained on, whatever --seed is; {anew}")
    dataset = _open(options, limits)
    if not listed:
        write_lists(dataset, out)
    print(dataset.summary())
    if listed:
        print(f"as {out / 'train.txt'} has it; {anew}")


def _open(options: argparse.Namespace, limits: UnpackLimits) -> Dataset:
    """Open the source; photos are fetched if it is the default folder and has none."""
    try:
        wanted = Wanted(options.label, options.split)
        return open_dataset(options.source, options.seed or 0, limits, wanted=wanted)
    except NoPictures:
        if Path(options.source) != DATA_FOLDER:
            raise
        photos = PHOTOS.fetch(DATA_FOLDER, *cli.places(options))
        return open_dataset(photos, options.seed or 0, limits)


def _check_lists(out: Path) -> None:
    """Refuse to overwrite lists of other origin; this program writes `ALWAYS_WRITTEN`, too."""
    lists = [out / name for name in LISTS if (out / name).is_file()]
    if lists and not all((out / name).is_file() for name in ALWAYS_WRITTEN):
        raise UserError(
            f"{lists[0]}: was not written by this program, and would be overwritten; name another "
            "folder with --out"
        )
