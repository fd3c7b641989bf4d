"""What an epoch came to, for people (a line in the log), spreadsheets (CSV) and TensorBoard."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from alexnet_tf.runs.run import Run
from alexnet_tf.system.disk import NoRoom
from alexnet_tf.system.files import write_text

# One dict for each finished epoch, in order.
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
# About as many bytes are the events of an epoch.
EVENTS = 1000


def best_epoch(history: History) -> int:
    """The epoch (from 1) of the highest validation accuracy, of the lowest loss among equals."""
    return int(max(history, key=lambda row: (row["val_accuracy"], -row["val_loss"]))["epoch"])


def epoch_line(row: dict[str, float], epochs: int) -> str:
    return (
        f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
        f"val_loss {row['val_loss']:.4f}  val_accuracy {row['val_accuracy']:.4f}  "
        f"{row['seconds']:.1f} s"
    )


def write_history(run: Run, history: History) -> None:
    """Write history.csv anew."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_text(run.history, text.getvalue())


class TensorBoardLog:
    """Accuracy and loss of training and validation as two TensorBoard curves of each tag."""

    def __init__(self, run: Run, history: History):
        """Begin anew with `history`: events after its last epoch would stand there twice."""
        self.directory = run.tensorboard
        shutil.rmtree(self.directory, ignore_errors=True)
        with self._room():
            self.writers = {
                prefix: tf.summary.create_file_writer(str(self.directory / name))
                for prefix, name in (("", "train"), ("val_", "validation"))
            }
        for row in history:
            self.write(row)

    def write(self, row: dict[str, float]) -> None:
        with self._room():
            for prefix, writer in self.writers.items():
                with writer.as_default(step=int(row["epoch"])):
                    for tag in ("accuracy", "loss"):
                        tf.summary.scalar(tag, row[prefix + tag])
                writer.flush()

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            raise NoRoom(self.directory, EVENTS) from error
