"""``python -m alexnet_tf predict``, or predict_alexnet.py: say what pictures show."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as common
from alexnet_tf.commands import predict_batch as batch
from alexnet_tf.data.imagenet import read_classes
from alexnet_tf.data.images.preprocessing import CROPS
from alexnet_tf.errors import UserError
from alexnet_tf.inference.batch import as_json
from alexnet_tf.inference.classifier import UNLIKE, Classifier, Prediction
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system import arguments, program, signals, streams
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

HELP = "say what pictures show"
IMAGENET, OWN = MODES = ("1", "2")
WITHOUT_WORD = {IMAGENET: "give --imagenet", OWN: "leave it out"}
# Options of mode 1 alone, and options that have no meaning for --undo.
OF_IMAGENET = ("--weights", "--classes", "--variant", "--resize")
NOT_UNDO = (
    *OF_IMAGENET, "--run", "--imagenet", "--json", "--top", "--crops", "--precision", "--out",
    "--shard", "--watch", "--ray",
)  # fmt: skip


class _Pictures(argparse.Action):
    """Takes a mode from the start of the pictures, where there is one."""

    def __call__(self, parser: Any, namespace: Any, words: Any, option_string: Any = None) -> None:
        is_path = os.path.lexists(words[0])
        if not is_path and words[0] not in MODES and re.fullmatch(r"-?\w+", words[0]):
            parser.error(
                f"{words[0]}: does not exist, and is no mode; before the pictures may come 1, for "
                "ImageNet's 1,000 classes, or 2, for the classes that you trained"
            )
        if words[0] in MODES and not namespace.imagenet and not (is_path and len(words) == 1):
            if is_path and not namespace.mode_first:
                parser.error(
                    f"{words[0]}: is a mode and, here, a file or folder, too; name that as "
                    f"./{words[0]}, and for the mode {WITHOUT_WORD[words[0]]}"
                )
            namespace.mode, *words = words
        if not words:
            parser.error("name a picture, or a folder of pictures, after the mode")
        namespace.pictures = words


def add_arguments(parser: argparse.ArgumentParser, mode_first: bool = False) -> None:
    """Add pictures and options; with `mode_first` a first 1 or 2 is always the mode."""
    add = parser.add_argument
    parser.set_defaults(mode=OWN, mode_first=mode_first)
    add("--imagenet", action="store_true", help="the same as the mode 1")
    add(
        "pictures",
        nargs="+",
        action=_Pictures,
        metavar="PICTURE",
        help="a picture or its address, a folder or a .tfrecord of them, a quoted pattern"
        " ('photos/**/*.jpg'), a list of them (.txt, .csv), or - for a list on standard input; the"
        " first may be preceded by a mode, 1: the five likeliest of ImageNet's 1,000 classes; 2:"
        " the class among those that you trained, cat or dog for example (2)",
    )
    add("--json", action="store_true", help="one JSON object per line")
    add(
        "--top", type=arguments.positive, metavar="N", help="name the N likeliest (1: five, 2: one)"
    )
    add(
        "--run",
        dest="runs",
        action="append",
        metavar="DIR",
        help="2: the run to use (the latest finished one, or else the starter); the predictions"
        " of several are averaged",
    )
    add(
        "--weights",
        type=arguments.place,
        metavar="FILE",
        help=f"1: pretrained weights with all eight layers ({DEFAULTS['weights']})",
    )
    add(
        "--classes",
        metavar="FILE",
        help="1: the names of other classes than ImageNet's, a line each, in the order of the"
        " weights' outputs",
    )
    common.add_preprocessing(parser, "1")
    common.add_crops(parser, None)
    common.add_precision(parser)
    batch.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print or write the predictions, or sort by them; return 2 if a picture cannot be read."""
    if options.imagenet:
        options.mode = IMAGENET
    batch.check(options)
    if options.undo:
        if not options.sort_into:
            reason = "says how to predict, and --undo DIR predicts nothing; leave it out"
            cli.refuse(options, NOT_UNDO, reason)
        return batch.take_back(options)
    _check(options)
    crops = options.crops or CROPS[0]
    classifier = Classifier(_open_engines(options), crops, options.precision)
    goes_into_json = options.json or (options.out and options.out.suffix == ".jsonl")
    top = options.top or (5 if options.mode == IMAGENET or goes_into_json else 1)
    if options.watch:
        # Stopped between two pictures, so that no callback of the interpreter swallows the signal.
        with signals.postponed(), batch.opened(options, classifier, top, None) as predictor:
            print(f"{program.name()}: watching; Ctrl-C ends it", file=sys.stderr)
            return _show(predictor.watch(options.pictures[0]), options, top)
    selection = batch.choose(options)
    with batch.opened(options, classifier, top, selection.total) as predictor:
        remaining = predictor.remaining(selection.pictures)
        predictions = predictor.predict(remaining, selection.pictures)
        if options.out:
            count = len(selection.pictures)
            predictions = progress(predictions, count, "predicting", count - len(remaining))
        is_single = len(options.pictures) == 1 and options.pictures == selection.pictures
        code = _show(predictions, options, top, is_single)
        stream = sys.stderr if options.json else sys.stdout
        code = max(code, batch.print_summary(predictor, stream))
    for engine in classifier.engines:
        keep_litert(engine)
    return code


def _check(options: argparse.Namespace) -> None:
    """Raise UserError for options of the other mode, and for --json with a table."""
    if options.mode == IMAGENET:
        cli.refuse(options, ("--run",), "names a run, which mode 2 uses; leave it out, or the 1")
    else:
        reason = "belongs to mode 1, while a run knows its own; begin with 1, or leave it out"
        cli.refuse(options, OF_IMAGENET, reason)
    if options.json and options.out and options.out.suffix == ".csv":
        raise UserError(f"--json: {options.out} is to be a table; name a .jsonl, or leave it out")


def _open_engines(options: argparse.Namespace) -> list[Engine]:
    if options.mode == IMAGENET:
        classes = read_classes(options.classes) if options.classes else None
        return [Engine.of_imagenet(*common.pretrained(options), classes)]
    return [Engine.of_run(run) for run in common.named_runs(options.runs or [])]


def _show(
    predictions: Iterable[Prediction],
    options: argparse.Namespace,
    top: int,
    is_single: bool = False,
) -> int:
    """Print the predictions, unless they go to a file; return 2 if there was an error."""
    names_only = options.mode == OWN and top == 1
    code = 0
    for prediction in predictions:
        if prediction.error:
            code = 2
            print(f"{program.name()}: {prediction.error}", file=sys.stderr)
        if options.json and not options.out:
            print(json.dumps(as_json(prediction)), flush=True)
        elif not options.out:
            for line in as_lines(prediction, names_only, is_single):
                print(line, flush=True)
        if not streams.is_read() and not (options.out or options.sort_into):
            break
    return code


def keep_litert(engine: Engine) -> None:
    """Write the LiteRT file that is missing; a folder that cannot be written to is no failure."""
    if engine.lacks_litert():
        path = engine.litert_path
        print(f"keeping {path}, so that the next prediction takes a second", file=sys.stderr)
        try:
            engine.write_litert()
        except (OSError, UserError) as error:
            print(f"it could not be kept: {error}", file=sys.stderr)


def as_lines(prediction: Prediction, names_only: bool, is_single: bool) -> list[str]:
    """Format a line for each class: with spaces for a single picture, else with file and tabs."""
    top: list[tuple[str, ...]] = [(printable(label), f"{p:.4f}") for label, p in prediction.top]
    fields = [line[:1] if names_only else line for line in top]
    if prediction.is_unknown:
        fields[0] += (f"({UNLIKE})",)
    if is_single:
        return [" ".join(line) for line in fields]
    return ["\t".join((printable(prediction.file), *line)) for line in fields]
