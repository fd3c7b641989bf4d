"""What the epochs of a run came to: history.csv, the best of them, the figures of all."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import dataclass

from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import write_text
from alexnet_tf.variants import get_variant

# One dict for each finished epoch, in order, with the values of COLUMNS. Of training and of
# validation (`val_`) there are the mean loss and the accuracy, 0 to 1.
History = list[dict[str, float]]
COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


def write_history(run: Run, history: History) -> None:
    """Write history.csv anew."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_text(run.history_path, text.getvalue())


def read_history(run: Run) -> History:
    """Return what history.csv holds, as floats; [] while there is none."""
    if not run.history_path.is_file():
        return []
    with open(run.history_path, encoding="utf-8") as file:
        return [{name: float(text) for name, text in line.items()} for line in csv.DictReader(file)]


def best_epoch(history: History) -> int:
    """Return the number (from 1) of the epoch of the highest validation accuracy, and of the lowest
    loss among equals."""
    return int(max(history, key=lambda epoch: (epoch["val_accuracy"], -epoch["val_loss"]))["epoch"])


@dataclass(frozen=True)
class Outcome:
    """What came of training a variant: the epochs that it finished, and whether they were all.

    `parameters` are the weights and biases of the network; None if the training never began.
    """

    variant: str
    finished: bool
    history: History
    parameters: int | None

    def figures(self) -> dict[str, float]:
        """Return validation accuracy and loss of the last epoch, the best accuracy and its epoch.

        And the median of the epochs' seconds, for what else the machine did may be in some of them.
        """
        last, best = self.history[-1], best_epoch(self.history)
        return {
            "epochs": len(self.history),
            "accuracy": last["val_accuracy"],
            "best_accuracy": self.history[best - 1]["val_accuracy"],
            "best_epoch": best,
            "loss": last["val_loss"],
            "seconds_per_epoch": statistics.median_low(epoch["seconds"] for epoch in self.history),
        }


def read_outcome(run: Run, variant: str, finished: bool) -> Outcome:
    """Return what the files of `run` say of training `variant`."""
    parameters = None
    if run.config_path.is_file():
        parameters = get_variant(variant).parameters(len(run.read_config()["classes"]))
    return Outcome(variant, finished, read_history(run), parameters)
