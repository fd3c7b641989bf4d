"""``python -m alexnet_tf evaluate``: how often a network is right."""

from __future__ import annotations

import argparse
import json
import sys

from alexnet_tf.evaluate import evaluate_imagenet, imagenet_pictures
from alexnet_tf.images import CROPS, RESIZES
from alexnet_tf.predict import Classifier
from alexnet_tf.settings import Settings
from alexnet_tf.variants import VARIANTS

HELP = "how often pretrained weights are right about ImageNet's validation pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--imagenet",
        required=True,
        metavar="DIR",
        help="a folder per WordNet id, or the flat validation set with --labels",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="the class of each picture: lines 'NAME INDEX', 0 to 999 as in Caffe's val.txt, or"
        " 'NAME WNID'",
    )
    parser.add_argument(
        "--weights",
        default=Settings().weights,
        metavar="FILE",
        help="pretrained weights with all eight layers (%(default)s)",
    )
    parser.add_argument(
        "--variant",
        default=Settings().variant,
        choices=VARIANTS,
        help="the AlexNet that the weights were trained for (%(default)s)",
    )
    parser.add_argument(
        "--resize",
        default="caffe",
        choices=RESIZES,
        help="from a photo to a square, as train_alexnet.py explains it; the published numbers were"
        " measured with caffe (%(default)s)",
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=CROPS[0],
        choices=CROPS,
        help="10: average over corners, centre and their mirror images, as the paper (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object instead of a table")


def run(options: argparse.Namespace) -> int:
    pictures, labels = imagenet_pictures(options.imagenet, options.labels)
    classifier = Classifier.of_imagenet(
        options.weights, options.variant, options.resize, options.crops
    )
    evaluation = evaluate_imagenet(classifier, pictures, labels)
    for error in evaluation.failed:
        print(f"alexnet_tf: left out: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps(evaluation.as_json()))
    else:
        print(f"{options.variant}, --resize {options.resize}, --crops {options.crops}")
        print(evaluation.summary())
    return 2 if evaluation.failed else 0
