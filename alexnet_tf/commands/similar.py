"""``python -m alexnet_tf similar``: similar pictures, from an index on the disk."""

import argparse
import json
from pathlib import Path

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as common
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.drawing.sheets import contact_sheet, write_picture
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import BATCH
from alexnet_tf.retrieval.activations import list_pictures, outputs
from alexnet_tf.retrieval.codes import RECALL_AT, Codes
from alexnet_tf.retrieval.search import LAYER, Index
from alexnet_tf.system import arguments
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

HELP = "find the pictures most similar to one, in an index on the disk"
# The most queries on a contact sheet; the JSON has them all.
MOST_SHOWN = 50
TOP, SHEET = 6, Path("similar.png")

# Query → (path, distance) of the pictures found.
Found = dict[str, list[tuple[str, float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="a picture, or a folder of them: find pictures similar to each",
    )
    add("--index", required=True, metavar="DIR", help="the index, made by --data")
    add(
        "--data",
        action="append",
        default=[],
        metavar="DATA",
        help="add these to the index first: pictures, a folder of them, or what `train` takes"
        " as data. Killed, the same command resumes",
    )
    add("--top", type=arguments.positive, metavar="N", help=f"find N ({TOP})")
    add(
        "--bits",
        type=_bits,
        metavar="N",
        help="search by binary codes of so many bits, such as 128: faster, but not always the"
        " nearest; prints their recall",
    )
    add(
        "--out",
        type=arguments.output,
        metavar="FILE",
        help=f"the contact sheet; beside it goes a .json ({SHEET})",
    )
    common.add_network(parser)


def run(options: argparse.Namespace) -> int:
    """Fill the index, search it; return 2 if a picture could not be read."""
    if not options.pictures and not options.data:
        raise UserError("name a picture to look for, or --data to put into the index")
    if not options.pictures:
        reason = "says how to search; name a picture, or leave it out"
        cli.refuse(options, ("--top", "--bits", "--out"), reason)
    options.top, options.out = options.top or TOP, options.out or SHEET
    if options.out.suffix != ".png":
        raise UserError(f"{options.out}: should end with .png")
    files, rejected = common.find(options.pictures)
    engine = common.open_network(options)
    engine.check_layer(LAYER)
    index = Index(options.index, engine, create=bool(options.data))
    failed: list[ImageError] = []
    if options.data:
        pictures, failed, others = list_pictures(options.data)
        rejected += others
        failed += index.add(pictures)
        print(f"{index.directory}: {len(index)} pictures")
    if files:
        failed += _search(index, files, options)
    return common.say_left_out(rejected, failed)


def _bits(text: str) -> int:
    bits = arguments.whole(1, 1024)(text)
    if bits % 16:
        raise argparse.ArgumentTypeError(f"{bits} should be a multiple of 16")
    return bits


def _search(index: Index, files: list[str], options: argparse.Namespace) -> list[ImageError]:
    """Print and write the pictures similar to each of `files`; return the unreadable ones."""
    if not len(index):
        raise UserError(f"{index.directory}: is empty; --data DATA puts pictures into it")
    codes = index.codes(options.bits) if options.bits else None
    if codes:
        print(_words(codes, options.bits))
    found, failed = _nearest(index, files, options.top, codes)
    if not found:
        return failed
    for file, similar in found.items():
        for path, distance in similar:
            print(printable(file), printable(path), f"{distance:.2f}", sep="\t")
    sheet = contact_sheet(dict(list(found.items())[:MOST_SHOWN]))
    write_picture(options.out, sheet, {".json": _json(index, found, codes, options)})
    more = f", of the first {MOST_SHOWN}" if len(found) > MOST_SHOWN else ""
    print(f"{options.out}{more}, {options.out.with_suffix('.json')}")
    return failed


def _nearest(
    index: Index, files: list[str], top: int, codes: Codes | None
) -> tuple[Found, list[ImageError]]:
    """Search for each file; return what was found, and the files that cannot be read."""
    found: Found = {}
    failed: list[ImageError] = []
    queries: dict[str, np.ndarray] = {}
    values_of = zip(files, outputs(index.engine, LAYER, files, index.precision))
    for number, (file, values) in enumerate(progress(values_of, len(files), "searching"), 1):
        if isinstance(values, ImageError):
            failed.append(values)
        else:
            queries[file] = values
        if queries and (len(queries) == BATCH or number == len(files)):
            nearest = index.nearest(np.stack(list(queries.values())), top, codes)
            found |= dict(zip(queries, nearest))
            queries = {}
    return found, failed


def _words(codes: Codes, bits: int) -> str:
    """Describe the recall of codes, and whether training them was worth it."""
    trained, random = codes.trained, codes.random
    better = "" if trained.alone > random.alone else "; they are NO better than these"
    return (
        f"recall@{RECALL_AT} of {bits} bits: {trained.alone:.3f}, and {trained.shortlisted:.3f} of"
        f" the shortlist that fc7 puts in order; of random projections: {random.alone:.3f} and "
        f"{random.shortlisted:.3f}{better}"
    )


def _json(index: Index, found: Found, codes: Codes | None, options: argparse.Namespace) -> bytes:
    content = {
        "index": str(index.directory),
        "network": str(index.engine.source),
        "pictures": len(index),
        "predictions": [
            {"file": file, "similar": [{"file": path, "distance": far} for path, far in similar]}
            for file, similar in found.items()
        ],
    }
    if codes:
        content |= {
            "bits": options.bits,
            "recall": {"codes": vars(codes.trained), "random_projections": vars(codes.random)},
        }
    return json.dumps(content, indent=2).encode()
