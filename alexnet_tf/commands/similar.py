"""``python -m alexnet_tf similar``: pictures that look alike, from an index on the disk."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as asking
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.sources.listing import find_pictures
from alexnet_tf.drawing.sheets import contact_sheet, write_picture
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import BATCH
from alexnet_tf.retrieval.activations import list_pictures, outputs
from alexnet_tf.retrieval.codes import RECALL_AT, Codes
from alexnet_tf.retrieval.search import LAYER, Index
from alexnet_tf.system import arguments
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

HELP = "find the pictures that look most like one, in an index on the disk"
# The most pictures asked about that a contact sheet shows; the JSON has them all.
MOST_SHOWN = 50
TOP, SHEET = 6, Path("similar.png")

Answers = dict[str, list[tuple[str, float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="a picture, or a folder of them: find what looks like each",
    )
    add("--index", required=True, metavar="DIR", help="the index, made by --data")
    add(
        "--data",
        action="append",
        default=[],
        metavar="DATA",
        help="add these to the index first: pictures, a folder of them, or what `train` takes"
        " as data. Killed, the same command goes on",
    )
    add("--top", type=arguments.positive, metavar="N", help=f"find N ({TOP})")
    add(
        "--bits",
        type=_bits,
        metavar="N",
        help="search by binary codes of so many bits, such as 128: sooner, but not always the"
        " nearest; says how good they are",
    )
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"the contact sheet; beside it goes a .json ({SHEET})",
    )
    asking.add_network(parser)


def run(options: argparse.Namespace) -> int:
    """Fill the index, search it; return 2 if a picture could not be read."""
    if not options.pictures and not options.data:
        raise UserError("name a picture to look for, or --data to put into the index")
    if not options.pictures:
        reason = "says how look-alikes are found; name a picture, or leave it out"
        cli.refuse(options, ("--top", "--bits", "--out"), reason)
    options.top, options.out = options.top or TOP, options.out or SHEET
    if options.out.suffix != ".png":
        raise UserError(f"{options.out}: should end with .png")
    files, rejected = find_pictures(options.pictures)
    if options.pictures and not files:
        raise UserError(f"{options.pictures[0]}: holds no pictures")
    engine = asking.open_network(options)
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
    return asking.say_left_out(rejected, failed)


def _bits(text: str) -> int:
    bits = arguments.positive(text, 1024)
    if bits % 16:
        raise argparse.ArgumentTypeError(f"{bits} should be a multiple of 16")
    return bits


def _search(index: Index, files: list[str], options: argparse.Namespace) -> list[ImageError]:
    """Find what looks like each of `files`, show and write it; return what cannot be read."""
    if not len(index):
        raise UserError(f"{index.directory}: is empty; --data DATA puts pictures into it")
    codes = index.codes(options.bits) if options.bits else None
    if codes:
        print(_words(codes, options.bits))
    predictions, failed = _predictions(index, files, options.top, codes)
    if not predictions:
        return failed
    for file, found in predictions.items():
        for path, distance in found:
            print(printable(file), printable(path), f"{distance:.2f}", sep="\t")
    sheet = contact_sheet(dict(list(predictions.items())[:MOST_SHOWN]))
    write_picture(options.out, sheet, {".json": _json(index, predictions, codes, options)})
    more = f", of the first {MOST_SHOWN}" if len(predictions) > MOST_SHOWN else ""
    print(f"{options.out}{more}, {options.out.with_suffix('.json')}")
    return failed


def _predictions(
    index: Index, files: list[str], top: int, codes: Codes | None
) -> tuple[Answers, list[ImageError]]:
    """Search for each file; return path and distance of what was found, and what failed."""
    failed: list[ImageError] = []
    predictions: Answers = {}
    asked: dict[str, np.ndarray] = {}
    found = zip(files, outputs(index.engine, LAYER, files, index.precision))
    for number, (file, values) in enumerate(progress(found, len(files), "searching"), 1):
        if isinstance(values, ImageError):
            failed.append(values)
        else:
            asked[file] = values
        if asked and (len(asked) == BATCH or number == len(files)):
            nearest = index.nearest(np.stack(list(asked.values())), top, codes)
            predictions |= dict(zip(asked, nearest))
            asked = {}
    return predictions, failed


def _words(codes: Codes, bits: int) -> str:
    """Say how good codes are, and whether they were worth training."""
    trained, random = codes.trained, codes.random
    better = "" if trained.alone > random.alone else "; they are NO better than these"
    return (
        f"recall@{RECALL_AT} of {bits} bits: {trained.alone:.3f}, and {trained.shortlisted:.3f} of"
        f" the shortlist that fc7 puts in order; of random projections: {random.alone:.3f} and "
        f"{random.shortlisted:.3f}{better}"
    )


def _json(
    index: Index, predictions: Answers, codes: Codes | None, options: argparse.Namespace
) -> bytes:
    """Put the answers into JSON."""
    content = {
        "index": str(index.directory),
        "network": str(index.engine.source),
        "pictures": len(index),
        "predictions": [
            {"file": file, "similar": [{"file": path, "distance": far} for path, far in found]}
            for file, found in predictions.items()
        ],
    }
    if codes:
        content |= {
            "bits": options.bits,
            "recall": {"codes": vars(codes.trained), "random_projections": vars(codes.random)},
        }
    return json.dumps(content, indent=2).encode()
