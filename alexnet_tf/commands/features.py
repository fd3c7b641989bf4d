"""``python -m alexnet_tf features``: the outputs of a layer, for other programs."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf.commands import common_options as common
from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.batches import is_feature_store
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import FEATURES
from alexnet_tf.inference.output.tables import Table, check_table_path, write_table
from alexnet_tf.retrieval.activations import activation_store, compute, list_pictures
from alexnet_tf.system import arguments
from alexnet_tf.system.disk import shortages
from alexnet_tf.system.log import LOG

HELP = "write the outputs of a layer for each picture: .npy, .npz, .csv or .parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURES",
        help="pictures, folders of them, or what `train` takes as data",
    )
    parser.add_argument("--layer", default="fc7", choices=FEATURES, help="(%(default)s)")
    parser.add_argument(
        "--out",
        type=arguments.output,
        required=True,
        metavar="FILE",
        help="the file: .npy, .npz, .csv or .parquet. Killed, the same command resumes",
    )
    common.add_network(parser)


def run(options: argparse.Namespace) -> int:
    """Write the file; return 2 if a picture had to be left out."""
    partial = options.out.with_name(f".{options.out.name}.partial")
    check_table_path(options.out, goes_on=_is_ours(partial))
    engine = common.open_network(options)
    engine.check_layer(options.layer)
    pictures, failed, rejected = list_pictures(options.pictures)
    precision = engine.fastest_precision(options.layer)
    store = activation_store(engine, partial, options.layer, "<f4", precision)
    if pictures:
        missing = store.open().missing(pictures)
        needs = {store.directory: store.size(len(missing)), options.out: store.size(len(pictures))}
        for shortage in shortages(needs):
            LOG.warning(shortage)
        failed += compute(engine, store, missing)
    code = common.say_left_out(rejected, failed)
    readable = [picture for picture in pictures if picture in store]
    if not readable:
        raise UserError(f"{options.pictures[0]}: holds no picture that can be read")
    _write(store, readable, options)
    shutil.rmtree(partial)
    return code


def _is_ours(partial: Path) -> bool:
    """Check whether a killed command left `partial`; UserError for files of other programs."""
    if is_feature_store(partial):
        return True
    if any(path.is_file() for path in partial.rglob("[!.]*")):
        raise UserError(f"{partial}: is not from this program; move it away")
    return False


def _write(store: FeatureStore, pictures: Sequence[Picture], options: argparse.Namespace) -> None:
    names = [picture.path for picture in pictures]
    slots, (units,) = store.slots(pictures), store.shape
    table = Table(options.layer, units, names, lambda part: store.read(slots[part]))
    write_table(options.out, table)
    print(f"{options.out}: {options.layer} of {len(names)} pictures, {units} numbers each")
