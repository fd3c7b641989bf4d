"""One answer from cold: `predict_alexnet.py 2 PHOTO`, the whole process."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.material import train_a_little
from benchmarks.process import run_python
from benchmarks.row import Comparison, Figures, Place, Row


def _prepare(place: Place) -> None:
    """Train a run, and copy it as it is where no LiteRT file could be written."""
    train_a_little(place)
    shutil.copytree(
        place.folder / "run",
        place.folder / "run-without-litert",
        ignore=shutil.ignore_patterns("*.tflite", "checkpoints"),
    )


def _litert(place: Place) -> Figures:
    return _predict(place, place.folder / "run")


def _tensorflow(place: Place) -> Figures:
    return _predict(place, place.folder / "run-without-litert")


def _predict(place: Place, run: Path) -> Figures:
    photo = next((place.folder / "photos").rglob("*.jpg"))
    return {"seconds": run_python("predict_alexnet.py", "2", photo, "--run", run).seconds}


ROW = Row(
    "cold",
    "predict 2, one photo, whole process",
    {"LiteRT": _litert, "TensorFlow": _tensorflow},
    (Comparison("LiteRT", "TensorFlow", "8×, and 1.0 s or less"),),
    lambda seconds: f"{seconds:.2f} s",
    rounds=5,
    prepare=_prepare,
)
