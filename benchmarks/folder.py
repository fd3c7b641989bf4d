"""A thousand photos of a folder: which class is each? The whole process.

`python -m benchmarks.folder RUN FOLDER` asks as tutorials do: load the model, then one
`model.predict` for each picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.material import train_a_little, write_photos
from benchmarks.process import run_python
from benchmarks.row import Comparison, Figures, Place, Row

PICTURES = 1000


def _prepare(place: Place) -> None:
    train_a_little(place)
    thousand = place.folder / "thousand"
    write_photos(place.photos, place.scaled(PICTURES), thousand)


def _ours(place: Place, *options: object) -> Figures:
    photos, run = place.folder / "thousand/photos", place.folder / "run"
    words = ("predict_alexnet.py", "2", photos, "--run", run, *options)
    return {"seconds": run_python(*words).seconds}


def _one_by_one(place: Place) -> Figures:
    photos, run = place.folder / "thousand/photos", place.folder / "run"
    return {"seconds": run_python("-m", "benchmarks.folder", run, photos).seconds}


ROW = Row(
    "folder",
    f"{PICTURES:,} photos of a folder → answers, whole process",
    {
        "ours": _ours,
        "ours, float32": lambda place: _ours(place, "--precision", "float32"),
        "one model.predict each": _one_by_one,
    },
    (
        Comparison("ours", "one model.predict each", "10×"),
        Comparison("ours", "ours, float32", "2×"),
    ),
    lambda seconds: f"{seconds:.1f} s",
    prepare=_prepare,
)


def main() -> None:
    from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
    from alexnet_tf.inference.engine import Engine
    from alexnet_tf.model import load_model
    from alexnet_tf.runs.run import Run

    run, folder = Run(sys.argv[1]), Path(sys.argv[2])
    engine, model = Engine.of_run(run), load_model(run.model_path)
    for path in sorted(folder.rglob("*.jpg")):
        image = load_image(path, engine.variant, engine.resize)
        inputs = preprocess_input(image[None], engine.variant)
        probabilities = model.predict(inputs, verbose=0)
        print(path, engine.classes[probabilities.argmax()], sep="\t")


if __name__ == "__main__":
    main()
