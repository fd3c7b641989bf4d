"""What verbs that use networks share: the choice of a network, and the pictures left out."""

import argparse
import sys
from collections.abc import Sequence

from alexnet_tf import starter
from alexnet_tf.commands import cli
from alexnet_tf.data.images.preprocessing import CROPS, RESIZES
from alexnet_tf.data.sources.listing import Rejected, find_pictures, left_out
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.choice import default_run
from alexnet_tf.runs.run import Run, finished_run
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system import program
from alexnet_tf.system.processor import PRECISIONS
from alexnet_tf.variants import VARIANTS


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a network."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--run", metavar="DIR", help="the run to use (the latest finished one, or else the starter)"
    )
    network.add_argument(
        "--weights", metavar="FILE", help="pretrained weights to use instead of a run"
    )
    add_preprocessing(parser, "with --weights")


def add_preprocessing(
    parser: argparse.ArgumentParser, when: str, default: str = DEFAULTS["resize"]
) -> None:
    """Add --variant and --resize, which pretrained weights need: they apply only `when`."""
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        help=f"{when}: the AlexNet that they were trained for ({DEFAULTS['variant']})",
    )
    parser.add_argument(
        "--resize",
        choices=RESIZES,
        help=f"{when}: from a photo to a square, as `train` explains it ({default}); Caffe's "
        "published accuracy was measured with caffe, torchvision's with short; a run remembers its "
        "own",
    )


def add_crops(parser: argparse.ArgumentParser, default: int | None = CROPS[0]) -> None:
    """Add the option that says how many crops of a picture predictions are averaged over."""
    parser.add_argument(
        "--crops",
        type=int,
        choices=CROPS,
        default=default,
        help="10: average over corners, centre and their mirror images, as the paper; not for a run"
        f" with test-time windows ({CROPS[0]})",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what networks are computed in."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="compute convolutions in this; float32 is exact (the fastest here where there are many"
        " pictures, or else float32)",
    )


def find(names: Sequence[str]) -> tuple[list[str], list[Rejected]]:
    """Find the pictures of those names; UserError if names are given, and there are none."""
    pictures, rejected = find_pictures(names)
    if names and not pictures:
        raise UserError(f"{names[0]}: holds no pictures")
    return pictures, rejected


def open_network(options: argparse.Namespace) -> Engine:
    """Open the network that the options of `add_network` choose."""
    if options.weights:
        return Engine.of_weights(*pretrained(options))
    reason = "describes --weights, while a run knows its own; give these, too, or leave it out"
    cli.refuse(options, ("--variant", "--resize"), reason)
    return Engine.of_run(named_runs([options.run] if options.run else [])[0])


def pretrained(
    options: argparse.Namespace, resize: str = DEFAULTS["resize"]
) -> tuple[str, str, str]:
    """Return the pretrained weights that options choose, their variant and their way of resizing,
    by default `resize`."""
    weights = options.weights or DEFAULTS["weights"]
    variant = options.variant or starter.variant_of(weights, DEFAULTS["variant"])
    return weights, variant, options.resize or resize


def named_runs(directories: Sequence[str]) -> list[Run]:
    """Return the runs in `directories`, or else the default run, and print which that is."""
    if directories:
        return [finished_run(directory) for directory in directories]
    run, sentences = default_run()
    for sentence in sentences:
        print(f"{program.name()}: {sentence}", file=sys.stderr)
    return [run]


def say_left_out(rejected: Sequence[Rejected], failed: Sequence[Exception]) -> int:
    """Print what is left out; return the exit code: 2 if that is a picture."""
    if rejected:
        print(f"{program.name()}: left out: {left_out(rejected)}", file=sys.stderr)
    for error in failed:
        print(f"{program.name()}: left out: {error}", file=sys.stderr)
    return 2 if failed else 0
