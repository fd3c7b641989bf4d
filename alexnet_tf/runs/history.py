"""The history of a run: history.csv, its best epoch, seconds.json, the outcome of a training."""

import csv
import io
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import BALANCED, LOSS, Settings
from alexnet_tf.system.files import read_json, read_text, write_json, write_text

# One dict for each finished epoch, in order, with the values of COLUMNS: mean loss and accuracy,
# 0 to 1, of training and of validation (`val_`); and the mean of the accuracies of classes, which
# runs of earlier versions lack.
History = list[dict[str, float]]
COLUMNS = (
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy",
    "learning_rate", "seconds",
)  # fmt: skip
YOUNGER = "val_balanced_accuracy"


def write_history(run: Run, history: History) -> None:
    """Write history.csv anew."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_text(run.history_path, text.getvalue())


def read_history(run: Run) -> History:
    """Read history.csv: [] if there is none, UserError for a damaged one."""
    if not run.history_path.is_file():
        return []
    try:
        lines = csv.DictReader(io.StringIO(read_text(run.history_path)))
        # What an epoch of an earlier version lacks is empty.
        epochs = [
            {name: float(text) for name, text in line.items() if text or name != YOUNGER}
            for line in lines
        ]
        return [epoch | {"epoch": n} for n, epoch in enumerate(checked_history(epochs), 1)]
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"{run.history_path}: is damaged ({error}); the next start of the training writes it "
            "anew"
        ) from error


def checked_history(epochs: Any) -> History:
    """Return `epochs` itself; ValueError unless it is a history: numbers, of epochs in order."""
    for number, epoch in enumerate(_of_kind(epochs, list), 1):
        for name in COLUMNS:
            if name not in _of_kind(epoch, dict) and name != YOUNGER:
                raise ValueError(f"epoch {number} lacks its {name}")
        for name, value in epoch.items():
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(f"the {name} of epoch {number} is no number")
        if epoch["epoch"] != number:
            raise ValueError(f"epoch {epoch['epoch']:g} is where epoch {number} should be")
    return epochs


def best_epoch(history: History, by: str = "accuracy") -> int:
    """Return the number (from 1) of the best epoch `by` a choice of --best; among equal accuracies
    the lowest loss wins. Raises UserError for the balanced accuracy of an earlier version's epoch.
    """
    if by == LOSS:
        return int(min(history, key=lambda epoch: epoch["val_loss"])["epoch"])
    name = YOUNGER if by == BALANCED else "val_accuracy"
    without = [epoch["epoch"] for epoch in history if name not in epoch]
    if without:
        raise UserError(
            f"--best {by}: epoch {without[0]:g} was trained by an earlier version, which did not "
            "measure that; leave --best out, or give another --run"
        )
    return int(max(history, key=lambda epoch: (epoch[name], -epoch["val_loss"]))["epoch"])


def is_early_enough(history: History, stop_early: int) -> bool:
    """Check whether --stop-early ends a training here."""
    return bool(stop_early and history) and len(history) - best_epoch(history, LOSS) >= stop_early


class Stopwatch:
    """The `seconds` spent, by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        """Add the time since the last lap, or since the start, to `phase`."""
        now = time.monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now


def add_seconds(run: Run, seconds: dict[str, float]) -> None:
    """Add the seconds of each phase to those of earlier starts; a damaged file is replaced."""
    try:
        before = read_seconds(run)
    except UserError:
        before = {}
    total = {name: round(before.get(name, 0.0) + seconds[name], 3) for name in seconds}
    write_json(run.seconds_path, before | total)


def read_seconds(run: Run) -> dict[str, float]:
    """Read the seconds of all completed starts by phase; {} without any, UserError if damaged."""
    if not run.seconds_path.is_file():
        return {}
    seconds = read_json(run.seconds_path)
    values: Iterable[Any] = seconds.values() if isinstance(seconds, dict) else [None]
    if not all(type(each) in (int, float) and 0 <= each < math.inf for each in values):
        raise UserError(f"{run.seconds_path}: is damaged; delete it, for nothing depends on it")
    return seconds


@dataclass(frozen=True)
class Outcome:
    """The outcome of training a variant: its epochs, and whether it `finished`; the `parameters` of
    the network, None if the training never began; the metric that chooses the `best` epoch."""

    variant: str
    finished: bool
    history: History
    parameters: int | None
    best: str = "accuracy"

    def figures(self) -> dict[str, float]:
        """Return validation accuracy and loss of the last epoch, the best accuracy and its epoch,
        the median duration of an epoch, which other load on the machine hardly changes."""
        last, best = self.history[-1], best_epoch(self.history, self.best)
        seconds = sorted(epoch["seconds"] for epoch in self.history)
        return {
            "epochs": len(self.history),
            "accuracy": last["val_accuracy"],
            "best_accuracy": self.history[best - 1]["val_accuracy"],
            "best_epoch": best,
            "loss": last["val_loss"],
            "seconds_per_epoch": seconds[(len(seconds) - 1) // 2],
        }


def read_outcome(run: Run, variant: str, finished: bool) -> Outcome:
    """Read the outcome of training `variant` from the files of `run`."""
    if not run.config_path.is_file():
        return Outcome(variant, finished, read_history(run), None)
    config = run.read_config()
    settings = Settings(**config["settings"])
    parameters = settings.chosen_variant().parameters(len(config["classes"]))
    return Outcome(variant, finished, read_history(run), parameters, settings.best)


def _of_kind(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} is where a {kind.__name__} should be")
    return value
