"""From photos to a trained model: the whole program, from its start to its end."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import markdown
from benchmarks.convolutions import channels_last_is_faster
from benchmarks.material import train, write_photos
from benchmarks.process import Ended, run_python
from benchmarks.row import Comparison, Figures, Place, Row, Side

EPOCHS = 10


def _ours(place: Place, *options: object) -> Figures:
    """Run our command, with nothing computed before, to its end: model.keras and model.tflite."""
    with TemporaryDirectory(dir=place.folder) as name:
        folder, lists = Path(name), place.folder / "train.txt"
        ended = train(place, lists, folder, "--epochs", place.scaled(EPOCHS), *options)
        accuracy = max(epoch["val_accuracy"] for epoch in read_history(Run(folder / "run")))
    return {"seconds": ended.seconds, "accuracy": accuracy}


def _usual(place: Place, library: str) -> Figures:
    ended = run_usual(place, library, EPOCHS)
    return {"seconds": ended.seconds, "accuracy": float(ended.output.split()[-1])}


def run_usual(place: Place, library: str, epochs: int, *options: object) -> Ended:
    """Run the usual recipe, written for `library`, on the lists in the folder of the row."""
    if library == "pytorch" and channels_last_is_faster(place):
        options = *options, "--channels-last"
    return run_python(
        *("-m", f"benchmarks.recipe_{library}", place.folder),
        *("--weights", place.weights, "--variant", place.variant),
        *("--epochs", place.scaled(epochs), *options),
    )


def _row(pictures: int, sides: dict[str, Side], targets: dict[str, str]) -> Row:
    def prepare(place: Place) -> None:
        write_photos(place.photos, place.scaled(pictures), place.folder)

    return Row(
        f"job-{pictures}",
        f"{pictures:,} photos → trained model, {EPOCHS} epochs",
        sides,
        tuple(Comparison("ours", side, targets[side]) for side in sides if side in targets),
        lambda seconds: f"{seconds:.0f} s",
        rounds=1,
        prepare=prepare,
        details=_details,
    )


def _details(medians: dict[str, Figures]) -> str:
    """Make the table that shows whether what is fast is as good."""
    lines = [
        (side, f"{figures['seconds']:.0f}", f"{figures['accuracy']:.3f}")
        for side, figures in medians.items()
    ]
    return markdown([("side", "seconds", "validation accuracy"), *lines], right=False)


def _rows() -> tuple[Row, Row]:
    sides: dict[str, Side] = {
        "ours": _ours,
        "ours, classical": lambda place: _ours(place, "--recipe", "classical"),
        "Keras": partial(_usual, library="keras"),
    }
    if find_spec("torch"):
        sides["PyTorch"] = partial(_usual, library="pytorch")
    slower = {"ours, float32": lambda place: _ours(place, "--precision", "float32")}
    return (
        _row(1200, sides | slower, {"Keras": "2.5×", "PyTorch": "3×"}),
        _row(6000, sides, {"Keras": "5×", "PyTorch": "6×"}),
    )


ROWS = _rows()
