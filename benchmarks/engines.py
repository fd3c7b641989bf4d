"""Features of a thousand photos by each engine, and by the one that `--precision auto` takes."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from alexnet_tf.errors import RunError
from alexnet_tf.runs.history import read_seconds
from alexnet_tf.runs.run import Run
from alexnet_tf.system.processor import BFLOAT16, FLOAT32, INT8, INT8_FROM_CONV2
from benchmarks.material import train, write_photos
from benchmarks.row import Comparison, Figures, Place, Row

PICTURES = 1000
AUTO = "auto"


def _prepare(place: Place) -> None:
    write_photos(place.photos, place.scaled(PICTURES), place.folder)


def _features(precision: str, place: Place) -> Figures:
    """Train for an epoch, with nothing computed before; return the seconds of the features."""
    with TemporaryDirectory(dir=place.folder) as name:
        folder = Path(name)
        words = ("--epochs", 1, "--precision", precision)
        train(place, place.folder / "train.txt", folder, *words)
        return {"seconds": read_seconds(Run(folder / "run"))["features"]}


def _int8(place: Place) -> Figures:
    """Return those of int8, or where that overflows, without VNNI, with conv1 in float32."""
    try:
        return _features(INT8, place)
    except RunError:
        return _features(INT8_FROM_CONV2, place)


def _row() -> Row:
    fixed = {name: partial(_features, name) for name in (BFLOAT16, FLOAT32)}
    if find_spec("openvino"):
        fixed = {INT8: _int8} | fixed
    targets = {INT8: "0.95×", BFLOAT16: "0.95×", FLOAT32: "0.95×, in int8 3×, or 1.6× without VNNI"}
    return Row(
        "engines",
        f"{PICTURES:,} photos → features",
        {AUTO: partial(_features, AUTO)} | fixed,
        tuple(Comparison(AUTO, name, targets[name]) for name in fixed),
        lambda seconds: f"{seconds:.1f} s",
        prepare=_prepare,
    )


ROW = _row()
