"""Seconds from photos to a network with an accuracy of 95% and 96%.

The photos are used as they are, split 85/15 by this program: `--photos` should be thousands. The
seconds run from the start of the command to the end of the epoch that first reaches it, by
its own log; ours then takes some more to write model.keras and model.tflite. The usual
recipes, which have no end of their own, are given up after half an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.system.text import markdown
from benchmarks.jobs import run_usual
from benchmarks.material import train
from benchmarks.row import Comparison, Figures, Place, Row, Side

GOALS = (0.95, 0.96)
# Limit of the usual recipes, which `usual.GIVEN_UP` ends long before.
MOST_EPOCHS = 100
NEVER = float("inf")
OURS = re.compile(r"^([\d-]+ [\d:]+) epoch \d+/\d+ .* val_accuracy ([\d.]+)", re.MULTILINE)
USUAL = re.compile(r"^epoch \d+ seconds ([\d.]+) accuracy ([\d.]+)$", re.MULTILINE)


def _ours(place: Place) -> Figures:
    """Run our command as a user types it, with nothing computed before."""
    with TemporaryDirectory(dir=place.folder) as name:
        folder, start = Path(name), datetime.now()
        train(place, place.folder / "train.txt", folder)
        epochs = OURS.findall((folder / "train_alexnet.log").read_text())
    seconds = ((datetime.fromisoformat(time) - start).total_seconds() for time, _ in epochs)
    return _figures(zip(seconds, (float(accuracy) for _, accuracy in epochs)))


def _usual(place: Place, library: str) -> Figures:
    ended = run_usual(place, library, MOST_EPOCHS, "--until", max(GOALS))
    return _figures((float(time), float(right)) for time, right in USUAL.findall(ended.output))


def _figures(epochs: Iterable[tuple[float, float]]) -> Figures:
    """Return the seconds to each goal and to the last epoch, and the best accuracy, of (seconds,
    accuracy) of epochs."""
    epochs = list(epochs)
    seconds = {
        f"{goal:.0%}": next((time for time, right in epochs if right >= goal), NEVER)
        for goal in GOALS
    }
    return seconds | {"last": epochs[-1][0], "accuracy": max(right for _, right in epochs)}


def _prepare(place: Place) -> None:
    write_lists(open_dataset(place.photos), place.folder)


def _details(medians: dict[str, Figures]) -> str:
    lines = [
        (
            *(side, *(_shown(figures[f"{goal:.0%}"]) for goal in GOALS)),
            *(f"{figures['last']:.0f} s", f"{figures['accuracy']:.3f}"),
        )
        for side, figures in medians.items()
    ]
    headings = (
        *("side", *(f"to {goal:.0%}" for goal in GOALS)),
        *("to its last epoch", "best validation accuracy"),
    )
    return markdown([headings, *lines], right=False)


def _shown(seconds: float) -> str:
    return "not reached" if seconds == NEVER else f"{seconds:.0f} s"


def _row() -> Row:
    sides: dict[str, Side] = {"ours": _ours, "Keras": partial(_usual, library="keras")}
    if find_spec("torch"):
        sides["PyTorch"] = partial(_usual, library="pytorch")
    return Row(
        "accuracy",
        f"photos → a network that is right in {GOALS[0]:.0%}",
        sides,
        tuple(Comparison("ours", side, "5×") for side in sides if side != "ours"),
        _shown,
        figure=f"{GOALS[0]:.0%}",
        rounds=1,
        prepare=_prepare,
        details=_details,
    )


ROW = _row()
