"""``python -m alexnet_tf evaluate``: the accuracy of runs, or of pretrained weights."""

import argparse
import json
from typing import Any

from alexnet_tf.commands import cli
from alexnet_tf.commands import common_options as common
from alexnet_tf.evaluation import imagenet
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.reports import evaluation as reports
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.settings import DEFAULTS, Settings

# As Caffe's published numbers were measured.
RESIZE = "caffe"

HELP = "the accuracy of runs on labelled pictures, or of pretrained weights on ImageNet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a finished run, or starter; the probabilities of several are averaged (the latest)",
    )
    parser.add_argument(
        "--imagenet",
        metavar="DIR",
        help="a folder per WordNet id, or the flat validation set with --labels",
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="labelled pictures, as `train` takes them, all of which are used (those that "
        "RUN was validated with, in the folder where it was trained)",
    )
    add_options(parser, Settings, ("label",), defaults=False)
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="with --imagenet: the class of each picture: lines 'NAME INDEX', 0 to 999 as in"
        " Caffe's val.txt, or 'NAME WNID'",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help=f"with --imagenet: pretrained weights with all eight layers ({DEFAULTS['weights']})",
    )
    common.add_preprocessing(parser, "with --imagenet", RESIZE)
    common.add_crops(parser)
    common.add_precision(parser)
    parser.add_argument("--json", action="store_true", help="a JSON object instead of tables")


def run(options: argparse.Namespace) -> int:
    """Print the evaluation; return 2 if a picture had to be left out."""
    _check(options)
    evaluation: Any
    if options.imagenet:
        evaluation = _of_imagenet(options)
        text, as_dict = reports.imagenet_text(evaluation), reports.imagenet_json(evaluation)
    else:
        runs = common.named_runs(options.runs)
        how = options.crops, options.precision, options.label
        evaluation = evaluate_runs(runs, options.data, *how)
        text, as_dict = reports.evaluation_text(evaluation), reports.evaluation_json(evaluation)
    code = common.say_left_out((), evaluation.failed)
    print(json.dumps(as_dict) if options.json else text)
    return code


def _check(options: argparse.Namespace) -> None:
    if options.imagenet:
        reason = "does not go with --imagenet, which evaluates --weights on ImageNet's pictures"
        return cli.refuse(options, ("RUN", "--data", "--label"), reason)
    if not options.data:
        cli.refuse(options, ("--label",), "goes with --data, whose column it names")
    reason = "goes with --imagenet; a run knows its own network, and --data its labels"
    cli.refuse(options, ("--labels", "--weights", "--variant", "--resize"), reason)


def _of_imagenet(options: argparse.Namespace) -> imagenet.ImageNetEvaluation:
    pictures, labels = imagenet.imagenet_pictures(options.imagenet, options.labels)
    weights, variant, resize = common.pretrained(options, RESIZE)
    engine = Engine.of_imagenet(weights, variant, resize)
    if not options.json:
        print(f"{variant}, --resize {resize}, --crops {options.crops}")
    classifier = Classifier([engine], options.crops, options.precision)
    published = imagenet.published_figure(weights)
    return imagenet.evaluate_imagenet(classifier, pictures, labels, published)
