"""Prediction of many pictures: files of predictions, sorting, shards, watching, Ray."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as common
from alexnet_tf.data.images.contents import is_file_of_its_own
from alexnet_tf.data.sources.selection import Selection, Shard, select
from alexnet_tf.errors import UserError
from alexnet_tf.inference.batch import BatchPredictor
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.system import arguments, program
from alexnet_tf.system.text import printable, printable_lines
from alexnet_tf.system.transfers import WAYS

MOST_SHARDS = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("many pictures").add_argument
    add(
        "--out",
        type=arguments.output,
        metavar="FILE",
        help="write the predictions to a .csv or .jsonl, a line each as they come, instead of"
        " printing them; killed, the same command resumes after the last whole line",
    )
    add(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="predict only part I of N, from 1/N to N/N, as an array of jobs does; a picture is in"
        " the same part on every machine",
    )
    add(
        "--sort-into",
        type=Path,
        metavar="DIR",
        help="put each picture into a folder of its class in DIR, or into unknown/ if it is unlike"
        " all training pictures, under its name or a numbered one; undo.csv there lists what was"
        " done, for --undo",
    )
    add("--by", choices=WAYS, help="copy, hard link or move when sorting (copy)")
    add(
        "--no-sidecars",
        action="store_true",
        help="sort pictures alone, without the files that are called like them (.xmp, .aae, .mov,"
        " raw)",
    )
    add(
        "--unsure",
        type=arguments.share,
        metavar="P",
        help="sort pictures predicted with a confidence below P into a folder of their own",
    )
    add(
        "--undo",
        action="store_true",
        help="undo the sorting into DIR: `--undo DIR`, or the command that sorted, and --undo",
    )
    add(
        "--watch",
        action="store_true",
        help="predict what is in one folder, and then whatever arrives there, until Ctrl-C",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="predict on all machines of a Ray cluster, by Ray Data: its address, auto, or local",
    )


def _shard(text: str) -> Shard:
    index, slash, count = text.partition("/")
    if not slash:
        raise argparse.ArgumentTypeError(f"'{printable(text[:40])}' should be I/N, such as 1/8")
    shard = Shard(arguments.positive(index), arguments.whole(1, MOST_SHARDS)(count))
    if shard.index > shard.count:
        raise argparse.ArgumentTypeError(f"'{text}' should be from 1/{count} to {count}/{count}")
    return shard


def check(options: argparse.Namespace) -> None:
    """Raise UserError for options that do not go together."""
    if not options.sort_into:
        reason = "says how to sort; give --sort-into DIR, too"
        cli.refuse(options, ("--by", "--no-sidecars", "--unsure"), reason)
    if options.watch and (options.shard or options.ray):
        raise UserError("--watch: predicts all that arrives, here; leave --shard and --ray out")
    if options.watch and (len(options.pictures) > 1 or not Path(options.pictures[0]).is_dir()):
        raise UserError(f"{options.pictures[0]}: --watch watches one folder, which is there")
    if options.ray:
        from alexnet_tf.inference.ray_data import check_ray

        check_ray()


def take_back(options: argparse.Namespace) -> int:
    """Undo sortings; return 2 if some file could not be put back."""
    from alexnet_tf.inference.output.undo import undo

    code = 0
    for directory in [options.sort_into] if options.sort_into else options.pictures:
        count, reasons = undo(Path(directory), _agrees)
        for reason in reasons:
            print(f"{program.name()}: {printable_lines(reason)}", file=sys.stderr)
            code = 2
        print(f"{directory}: {count:,} taken back, {len(reasons):,} left")
    return code


def _agrees(folders: list[str]) -> bool:
    """Show where a foreign undo.csv would move files, and ask for permission at a terminal."""
    print(f"{program.name()}: undo.csv would move files to:", file=sys.stderr)
    for folder in folders:
        print(f"  {printable(folder)}", file=sys.stderr)
    return sys.stdin.isatty() and input("May it? [y/N] ").strip().lower() in ("y", "yes")


def choose(options: argparse.Namespace) -> Selection:
    """Find the pictures, and print what is left out; UserError if there are none."""
    selection = select(options.pictures, options.shard)
    common.say_left_out(selection.rejected, ())
    if options.sort_into:
        for picture in selection.pictures:
            if options.by == "move" and os.path.islink(picture):
                raise UserError(
                    f"{printable(picture)}: is a link, and --by move moves files themselves; leave "
                    "it out, or take --by copy"
                )
            if not is_file_of_its_own(picture):
                raise UserError(
                    f"{printable(picture)}: is no file of its own here, and goes into no folder; "
                    "leave --sort-into out, --out FILE keeps the predictions"
                )
    results = [path for path in (options.out, options.sort_into) if path and path.exists()]
    if not selection.total and not results:  # else all may have been moved
        raise UserError(f"{options.pictures[0]}: holds no pictures")
    return selection


@contextmanager
def opened(
    options: argparse.Namespace, classifier: Classifier, top: int, total: int | None
) -> Iterator[BatchPredictor]:
    """Run a block that predicts pictures, `total` of them if that is known."""
    prediction_file = sorter = None
    if options.out:
        from alexnet_tf.inference.output.prediction_file import PredictionFile

        made_by = {
            "network": [engine.identity() for engine in classifier.engines],
            "--crops": classifier.crops,
            "--top": top,
            "--shard": vars(options.shard) if options.shard else None,
        }
        if options.precision:
            made_by["--precision"] = options.precision
        prediction_file = PredictionFile(options.out, made_by, top, classifier.knows_novelty)
    if options.sort_into:
        from alexnet_tf.inference.output.sorting import Sorter

        by = options.by or WAYS[0]
        unsure, sidecars = options.unsure or 0, not options.no_sidecars
        sorter = Sorter(options.sort_into, classifier.classes, by, unsure, sidecars)

    def ask(files: Any) -> Any:
        if options.ray:
            from alexnet_tf.inference import ray_data

            return ray_data.classify(classifier, files, top, total, options.ray)
        return classifier.classify(files, top, total)

    with ExitStack() as stack:
        for each in (prediction_file, sorter):
            if each:
                stack.enter_context(each.opened())
        yield BatchPredictor(ask, classifier.batch, prediction_file, sorter)


def print_summary(predictor: BatchPredictor, stream: TextIO) -> int:
    """Print where predictions and pictures are; return 2 if a picture could not be read."""
    failed = 0
    if predictor.prediction_file:
        errors = ["error" in record for record in predictor.prediction_file.records()]
        failed = sum(errors)
        unread = f", of which {failed:,} could not be read" if failed else ""
        print(f"{predictor.prediction_file.path}: {len(errors):,} pictures{unread}", file=stream)
    if predictor.sorter:
        counts = sorted(predictor.sorter.counts().items())
        folders = ", ".join(f"{printable(name)} {count:,}" for name, count in counts)
        print(f"{printable(predictor.sorter.directory)}: {folders or 'nothing'}", file=stream)
    return 2 if failed else 0
