"""``python -m alexnet_tf export``: a run's network for other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

import numpy as np

from alexnet_tf.commands import common_options as asking
from alexnet_tf.data.images.preprocessing import CROPS
from alexnet_tf.errors import UserError
from alexnet_tf.export import parity
from alexnet_tf.export.network import ExportedNetwork
from alexnet_tf.export.readme import check_export_path, write_readme
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import STARTER_RUN, Run, finished_run
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.folders import atomic_dir
from alexnet_tf.system.quiet import import_tensorflow

HELP = "write a run's network for other programs"
# Each in a folder of its own in the run, unless --out names a place.
PLACES = {
    "keras": "keras/model.keras",
    "savedmodel": "savedmodel",
    "litert": "litert/model.tflite",
    "onnx": "onnx/model.onnx",
}
# What a format needs besides TensorFlow, and the extra that installs it.
NEEDS = {
    "litert": ("ai_edge_litert", "ai-edge-litert"),
    "onnx": ("onnxruntime", "onnx onnxruntime"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="a finished run (the latest)")
    parser.add_argument("--format", required=True, choices=(*PLACES,), help="of what is written")
    parser.add_argument(
        "--int8", action="store_true", help="litert: weights of 8 bits, a quarter as large"
    )
    parser.add_argument(
        "--crops",
        type=int,
        choices=CROPS,
        default=1,
        help="as predict's; of a run whose network looks at windows leave it out",
    )
    parser.add_argument("--out", metavar="PATH", help="the file or folder (RUN/FORMAT/…)")
    parser.add_argument("--wait", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    if options.wait:
        _write_own(options.run)
        return
    (run,) = asking.asked_runs([options.run] if options.run else [])
    path = _place(options, run)
    engine = Engine.of_run(run)
    with parity.pictures_to_compare(run, reader(options.format)) as (kind, files):
        difference = _export(options, engine, path, files)
    print(f"{path}: {_bytes(path) / 1e6:.0f} MB")
    print(f"the largest difference from the run on {len(files)} {kind}: {difference:.1e}")


def _write_own(run: str) -> None:
    """Write the run's own model.tflite, with which it answers at once, when asked to on stdin."""
    import_tensorflow()
    if sys.stdin.readline():  # or whoever would have said so is gone
        Engine.of_run(finished_run(run)).write_litert()


def _place(options: argparse.Namespace, run: Run) -> Path:
    """Return where to write, once nothing else is there and what is needed is installed."""
    if options.int8 and options.format != "litert":
        raise UserError(f"--int8 is for --format litert; {options.format} has float32 weights")
    if options.format == "keras" and (options.crops > 1 or run is STARTER_RUN):
        raise UserError("--format keras copies a run's model.keras as it is, without --crops")
    module, packages = NEEDS.get(options.format, ("tensorflow", ""))
    if not find_spec(module):
        raise UserError(f"--format {options.format} needs a package: pip install {packages}")
    if not options.out and run is STARTER_RUN:
        raise UserError("the starter is a part of the program: say with --out where to write")
    default = run.directory / PLACES[options.format]
    path = Path(options.out or (default.with_suffix(".int8.tflite") if options.int8 else default))
    check_export_path(path)
    return path


def reader(format: str) -> Callable[[bytes], bool]:
    """Return what tells whether an export reads a picture file; most are given pixels."""
    if format != "savedmodel":
        return lambda content: True
    import_tensorflow()
    from alexnet_tf.export.decoding import is_decoded

    return is_decoded


def _export(options: argparse.Namespace, engine: Engine, path: Path, files: Sequence[str]) -> float:
    """Write the export, compare it and describe it; return the largest difference."""
    network = ExportedNetwork(
        engine.open_keras(), engine.variant, engine.resize, engine.classes, options.crops
    )
    write, ask = _ways(options, engine, network)
    most = parity.MOST_INT8 if options.int8 else parity.MOST

    def fill(place: Path) -> float:
        write(place)
        return parity.check_parity(engine, options.crops, files, partial(ask, place), most)

    if options.format == "savedmodel":
        with atomic_dir(path, check=lambda: check_export_path(path)) as folder:
            difference = fill(folder)
            write_readme(folder, path.name, options.format, network)
        return difference
    with atomic_write(path, 4 * engine.variant.parameters(len(engine.classes))) as temporary:
        difference = fill(temporary)
    write_readme(path, path.name, options.format, network)
    return difference


def _ways(
    options: argparse.Namespace, engine: Engine, network: ExportedNetwork
) -> tuple[Callable[[Path], None], Callable[[Path, Sequence[str]], np.ndarray]]:
    """Return what writes the format to a place, and what asks what is there about files."""
    if options.format == "savedmodel":
        from alexnet_tf.export.saved_model import predict_saved_model, write_saved_model

        return (
            lambda place: write_saved_model(place, network),
            lambda place, files: predict_saved_model(place, parity.contents(files)),
        )
    if options.format == "litert":
        from alexnet_tf.export.app import predict_app, write_app

        return (
            lambda place: write_app(place, network, options.int8),
            lambda place, files: predict_app(place, parity.pixels(files)),
        )
    if options.format == "onnx":
        from alexnet_tf.export.onnx import predict_onnx, write_onnx

        return (
            lambda place: write_onnx(place, network),
            lambda place, files: predict_onnx(place, parity.pixels(files)),
        )
    from alexnet_tf.model import load_model

    return (
        lambda place: copyfile(engine.source, place),
        lambda place, files: load_model(place).predict(parity.inputs(engine, files), verbose=0),
    )


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
