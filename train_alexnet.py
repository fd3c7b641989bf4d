#!/usr/bin/env python3
"""Train AlexNet to tell your own pictures apart: new fully connected layers on pretrained ones."""

from __future__ import annotations

import argparse

from alexnet_tf import cli
from alexnet_tf.images import RESIZES
from alexnet_tf.processor import PRECISIONS
from alexnet_tf.quiet import import_tensorflow
from alexnet_tf.run import DEFAULT_RUN, Settings, prepare
from alexnet_tf.variants import VARIANTS

DEFAULT = Settings()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__
        + " Started again, it goes on where it stopped. `make tensorboard` shows it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data",
        default=DEFAULT.data,
        metavar="PATH",
        help="pictures: a folder of cat.N.jpg and dog.N.jpg, a folder with a folder for each class,"
        " a zip of either, or train.txt and val.txt (lines 'path label') or the folder of both",
    )
    add(
        "--run",
        default=str(DEFAULT_RUN),
        metavar="DIR",
        help="where checkpoints, curves and the finished model.keras go",
    )
    add(
        "--weights",
        default=DEFAULT.weights,
        metavar="FILE",
        help="pretrained weights: .npy, .caffemodel, .pth, .npz, .keras or .weights.h5; conv1 to"
        " conv5 are enough",
    )
    add(
        "--variant",
        default=DEFAULT.variant,
        choices=VARIANTS,
        help="the AlexNet that the weights were trained for",
    )
    add(
        "--resize",
        default=DEFAULT.resize,
        choices=RESIZES,
        help="scale the short side of a picture to 256 pixels and cut out the centre; squash it to"
        " 256 × 256, as Caffe did, and cut out the centre; or squash it to the input's size",
    )
    add(
        "--epochs",
        type=cli.positive,
        default=DEFAULT.epochs,
        metavar="N",
        help="how often every training picture is seen; a higher number continues a finished run",
    )
    add(
        "--batch-size",
        type=cli.positive,
        default=DEFAULT.batch_size,
        metavar="N",
        help="pictures in one step of training",
    )
    add(
        "--learning-rate",
        type=cli.positive_real,
        default=DEFAULT.learning_rate,
        metavar="X",
        help="size of a step; try a tenth of it if the loss grows",
    )
    add(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        default=DEFAULT.mirror,
        help="train on mirror images too",
    )
    add(
        "--precision",
        default=DEFAULT.precision,
        choices=("auto", *PRECISIONS),
        help="what the frozen convolutions compute in; auto: bfloat16 where the processor has it",
    )
    add(
        "--seed",
        type=cli.natural,
        default=DEFAULT.seed,
        metavar="N",
        help="of the 85/15 split and of every random number; the same seed gives the same model",
    )
    add(
        "--keep",
        type=cli.positive,
        default=DEFAULT.keep,
        metavar="N",
        help="checkpoints to keep, beside the best one; each takes about 440 MB",
    )
    add(
        "--features",
        default=DEFAULT.features,
        metavar="DIR",
        help="where the convolutions' output for every picture is kept, for all runs",
    )
    add(
        "--max-lost",
        type=cli.share,
        default=DEFAULT.max_lost,
        metavar="SHARE",
        help="pictures may vanish or change while they are read: they are named and left out, and"
        " only a larger share of them (0 to 1) stops the run",
    )
    add("--log", default="train_alexnet.log", metavar="FILE", help="file to append messages to")
    return parser.parse_args()


def main() -> None:
    options = vars(parse_arguments())
    run, log_file = options.pop("run"), options.pop("log")
    log = cli.open_log(log_file)
    job = prepare(Settings(**options), run)
    log.info("training in %s\n%s", run, job.dataset.summary())

    import_tensorflow()  # only now, for it takes seconds
    from alexnet_tf.train import train

    train(job, log)
    log.info("try it: python predict_alexnet.py 2 PICTURE --run %s", run)


if __name__ == "__main__":
    cli.run(main, "train_alexnet.py")
