#!/usr/bin/env python3
"""Train AlexNet to tell your own pictures apart: a new head on pretrained layers, or all layers."""

from __future__ import annotations

import signal

# Ctrl-C while all this is imported ends it without a traceback, but where a shell has it ignored.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from alexnet_tf.commands import cli
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import DEFAULT_RUN
from alexnet_tf.runs.seconds import add_seconds
from alexnet_tf.runs.settings import NO_WEIGHTS, Settings
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.stopwatch import Stopwatch
from alexnet_tf.training.job import prepare

if TYPE_CHECKING:
    from alexnet_tf.training.distribution import Workers

HEAD = next(iter(RECIPES))


def parse_arguments() -> argparse.Namespace:
    """Parse the command line: recipe, run, log, and every setting but those left to the variant."""
    parser = _parser()
    told = parse_typed()
    name = told.get("recipe", "classical" if told.get("weights") == NO_WEIGHTS else HEAD)
    parser.set_defaults(**RECIPES[name])
    return parser.parse_args()


def parse_typed() -> dict[str, object]:
    """Parse of the command line what was typed."""
    parser = _parser(defaults=False)
    parser.set_defaults(recipe=None, run=None, log=None)
    options = vars(parser.parse_known_args()[0])
    return {name: value for name, value in options.items() if value is not None}


def _parser(defaults: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "")  # none with `python -OO`
        + " Started again, it goes on where it stopped."
        " `make tensorboard` shows it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        add_help=defaults,
    )
    parser.add_argument(
        "--recipe",
        default=HEAD,
        choices=RECIPES,
        help="defaults of all settings for a whole way to train: a head on frozen convolutions, or"
        " that as before there were windows (taken where --weights are none); or all layers from"
        " scratch: as Krizhevsky 2012, as suits small pictures, as the starter that comes with the"
        " program, or as PaddlePaddle's tutorial on CIFAR-10",
    )
    parser.add_argument(
        "--run",
        default=str(DEFAULT_RUN),
        metavar="DIR",
        help="where checkpoints, curves and the finished model.keras go",
    )
    parser.add_argument(
        "--log", default="train_alexnet.log", metavar="FILE", help="file to append messages to"
    )
    Settings.add_arguments(parser, defaults=defaults)
    return parser


def main() -> None:
    """Train as the command line says."""
    options, typed = vars(parse_arguments()), parse_typed()
    del options["recipe"]  # its settings are in the others
    run, log_file = options.pop("run"), options.pop("log")
    cli.check_system()
    told = {*typed, *RECIPES.get(typed.get("recipe"), ())}
    settings, watch = Settings(**options), Stopwatch()
    workers = _meet(settings) if "TF_CONFIG" in os.environ else None
    is_chief = workers is None or workers.is_chief
    log = cli.open_log(log_file if is_chief else os.devnull)
    if workers:
        job = workers.of_chief(lambda: prepare(settings, run, told))
        # Its place for features may be another one on each machine.
        job = replace(job, settings=replace(job.settings, features=settings.features))
    else:
        job = prepare(settings, run, told)
    log.info("training in %s\n%s", run, job.dataset.summary())
    watch.lap("checking pictures and weights")

    if not workers:
        import_tensorflow(job.settings.threads)  # only now, for it takes seconds
    from alexnet_tf.training.loop import train

    watch.lap("starting TensorFlow")
    train(job, log, watch, workers)
    if not is_chief:
        return
    add_seconds(job.run, watch.seconds)
    if job.settings.report:
        from alexnet_tf.reports.run_report import leave_report

        leave_report(job.run, log)
    log.info("try it: python predict_alexnet.py 2 PICTURE --run %s", run)


def _meet(settings: Settings) -> Workers:
    """Start TensorFlow as one of several workers, which tell each other what to train."""

    def join() -> Workers:
        from alexnet_tf.training.distribution import Workers

        return Workers.join(settings.worker_timeout)

    return import_tensorflow(settings.threads, join)


if __name__ == "__main__":
    cli.run(main, "train_alexnet.py")
