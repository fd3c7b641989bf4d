"""One answer from cold: `predict_alexnet.py 2 PHOTO`, the whole process."""

from __future__ import annotations

from benchmarks.material import train_a_little
from benchmarks.process import run_python
from benchmarks.row import Comparison, Figures, Place, Row

# The same command where LiteRT is not installed.
WITHOUT_LITERT = (
    "import runpy, sys; sys.modules['ai_edge_litert'] = None; "
    "runpy.run_path('predict_alexnet.py', run_name='__main__')"
)


def _litert(place: Place) -> Figures:
    return _predict(place, "predict_alexnet.py")


def _tensorflow(place: Place) -> Figures:
    return _predict(place, "-c", WITHOUT_LITERT)


def _predict(place: Place, *script: str) -> Figures:
    photo = next((place.folder / "photos").rglob("*.jpg"))
    run = place.folder / "run"
    return {"seconds": run_python(*script, "2", photo, "--run", run).seconds}


ROW = Row(
    "cold",
    "predict 2, one photo, whole process",
    {"LiteRT": _litert, "TensorFlow": _tensorflow},
    (Comparison("LiteRT", "TensorFlow", "8×, and 1.0 s or less"),),
    lambda seconds: f"{seconds:.2f} s",
    rounds=5,
    prepare=train_a_little,
)
