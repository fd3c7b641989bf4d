"""What verbs that ask networks share: which is asked, and what was left out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from alexnet_tf import starter
from alexnet_tf.commands import cli
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import RESIZES
from alexnet_tf.data.sources.listing import Rejected, left_out
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.choice import answering_run
from alexnet_tf.runs.run import Run, finished_run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import program
from alexnet_tf.system.processor import PRECISIONS
from alexnet_tf.variants import VARIANTS

DEFAULT_SETTINGS = Settings()


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which network is asked."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--run",
        metavar="DIR",
        help="the run to ask (the latest finished one, or else the starter)",
    )
    network.add_argument(
        "--weights", metavar="FILE", help="pretrained weights to ask instead of a run"
    )
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        help=f"with --weights: the AlexNet that they were trained for ({DEFAULT_SETTINGS.variant})",
    )
    parser.add_argument(
        "--resize",
        choices=RESIZES,
        help="with --weights: from a photo to a square, as `train` explains it"
        f" ({DEFAULT_SETTINGS.resize}); a run remembers its own",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what networks are computed in."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="compute convolutions in this; float32 is exact (the fastest here where there are many"
        " pictures, or else float32)",
    )


def open_network(options: argparse.Namespace) -> Engine:
    """Open the network that the options of `add_network` name."""
    if options.weights:
        return Engine.of_weights(
            options.weights,
            options.variant or starter.variant_of(options.weights, DEFAULT_SETTINGS.variant),
            options.resize or DEFAULT_SETTINGS.resize,
        )
    reason = "tells of --weights, while a run knows its own; give these, too, or leave it out"
    cli.refuse(options, ("--variant", "--resize"), reason)
    return Engine.of_run(asked_runs([options.run] if options.run else [])[0])


def asked_runs(directories: Sequence[str]) -> list[Run]:
    """Return the runs that are named, or else the one that answers, and say then which that is."""
    if directories:
        return [finished_run(directory) for directory in directories]
    run, sentences = answering_run()
    for sentence in sentences:
        print(f"{program.name()}: {sentence}", file=sys.stderr)
    return [run]


def say_left_out(rejected: Sequence[Rejected], failed: Iterable[ImageError]) -> int:
    """Say what is left out; return the exit code: 2 where that is a picture."""
    if rejected:
        print(f"{program.name()}: left out: {left_out(rejected)}", file=sys.stderr)
    code = 0
    for error in failed:
        print(f"{program.name()}: left out: {error}", file=sys.stderr)
        code = 2
    return code
