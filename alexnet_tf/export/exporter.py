"""Export of a run's network, verified against the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.export import parity
from alexnet_tf.export.network import ExportedNetwork
from alexnet_tf.export.readme import check_export_path, write_readme
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.folders import atomic_dir
from alexnet_tf.system.program import installing
from alexnet_tf.system.quiet import import_tensorflow

# Default folder of each format within the run.
PLACES = {
    "keras": "keras/model.keras",
    "savedmodel": "savedmodel",
    "litert": "litert/model.tflite",
    "onnx": "onnx/model.onnx",
    "html": "html/model.html",
}
# The module of this room that writes a format, and predicts with it.
MODULES = {"savedmodel": "saved_model", "litert": "litert", "onnx": "onnx", "html": "page"}
# The module that a format needs besides TensorFlow, and the packages that provide it.
NEEDS = {
    "litert": ("ai_edge_litert", ["ai-edge-litert"]),
    "onnx": ("onnxruntime", ["onnx", "onnxruntime"]),
    "html": ("onnxruntime", ["onnx", "onnxruntime"]),
}


@dataclass(frozen=True)
class Exported:
    """An export at `path`, and its largest difference from the run on the pictures `compared`, text
    such as "16 validation pictures"."""

    path: Path
    compared: str
    difference: float

    def bytes(self) -> int:
        """Return the size in bytes of the file, or of all files in the folder."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


def export_run(
    run: Run, format: str, out: str | Path | None = None, int8: bool = False, crops: int = 1
) -> Exported:
    """Export the network of `run` in a format of `PLACES`, to `out` or into the run.

    The export is kept only if its predictions match the run's. Raises UserError for incompatible
    options and for a missing package, RunError if the predictions differ.
    """
    path = _place(run, format, out, int8, crops)
    engine = Engine.of_run(run)
    with parity.pictures_to_compare(run, reader(format)) as (kind, files):
        difference = _export(engine, format, path, int8, crops, files)
    return Exported(path, f"{len(files)} {kind}", difference)


def _place(run: Run, format: str, out: str | Path | None, int8: bool, crops: int) -> Path:
    """Return the target path, once it is known to be free and the packages to be installed."""
    if format not in PLACES:
        raise UserError(f"format: should be one of {', '.join(PLACES)}, but is {format!r:.40}")
    if int8 and format != "litert":
        raise UserError(f"--int8 is for --format litert, not for {format}")
    if format == "keras" and (crops > 1 or run is STARTER_RUN):
        raise UserError("--format keras copies a run's model.keras as it is, without --crops")
    module, packages = NEEDS.get(format, ("tensorflow", []))
    if not find_spec(module):
        raise UserError(f"--format {format} needs a package: {installing(*packages)}")
    if not out and run is STARTER_RUN:
        raise UserError("the starter is a part of the program: say with --out where to write")
    default = run.directory / PLACES[format]
    path = Path(out or (default.with_suffix(".int8.tflite") if int8 else default))
    check_export_path(path)
    return path


def reader(format: str) -> Callable[[bytes], bool]:
    """Return a function that tells of contents of a picture file whether an export decodes them."""
    if format != "savedmodel":
        return lambda content: True
    import_tensorflow()
    from alexnet_tf.export.decoding import is_decoded

    return is_decoded


def _export(
    engine: Engine, format: str, path: Path, int8: bool, crops: int, files: Sequence[str]
) -> float:
    """Write the export, verify it and write its README; return the largest difference."""
    how = engine.variant, engine.resize, engine.classes, crops, engine.novelty
    network = ExportedNetwork(engine.open_keras(), *how)
    write, ask = _ways(format, int8, engine, network)
    most = parity.MOST_INT8 if int8 or format == "html" else parity.MOST

    def fill(place: Path) -> float:
        write(place)
        return parity.check_parity(engine, crops, files, partial(ask, place), most)

    if format == "savedmodel":
        with atomic_dir(path, check=lambda: check_export_path(path)) as folder:
            difference = fill(folder)
            write_readme(folder, path.name, format, network)
        return difference
    with atomic_write(path, 4 * engine.variant.parameters(len(engine.classes))) as temporary:
        difference = fill(temporary)
    write_readme(path, path.name, format, network)
    return difference


def _ways(
    format: str, int8: bool, engine: Engine, network: ExportedNetwork
) -> tuple[Callable[[Path], object], Callable[[Path, Sequence[str]], np.ndarray]]:
    """Return the functions that write the format to a path, and that predict files with it."""
    if format == "keras":
        from alexnet_tf.model import load_model

        return (
            lambda place: copyfile(engine.source, place),
            lambda place, files: load_model(place).predict(parity.inputs(engine, files), verbose=0),
        )
    module = import_module(f"alexnet_tf.export.{MODULES[format]}")
    write = partial(module.write, int8=True) if int8 else module.write
    load = parity.contents if format == "savedmodel" else parity.pixels
    return (
        lambda place: write(place, network),
        lambda place, files: module.predict(place, load(files)),
    )
