"""What TensorBoard shows of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from alexnet_tf.runs.history import History
from alexnet_tf.runs.run import Run
from alexnet_tf.system.disk import NoRoom

# About as many bytes are the events of an epoch.
EPOCH_BYTES = 1000


class TensorBoardLog:
    """Accuracy and loss of training and validation, as two TensorBoard curves of each tag."""

    def __init__(self, run: Run, history: History):
        """Begin anew with `history`: events after its last epoch would stand there twice."""
        self.directory = run.tensorboard_folder
        folders = {"": self.directory / "train", "val_": self.directory / "validation"}
        for folder in folders.values():
            for events in folder.glob("events.out.tfevents.*"):
                events.unlink()
        with self._room():
            self.writers = {
                prefix: tf.summary.create_file_writer(str(folder))
                for prefix, folder in folders.items()
            }
        for epoch in history:
            self.write(epoch)

    def write(self, epoch: dict[str, float]) -> None:
        """Add a finished epoch to the curves; NoRoom when the disk is full."""
        with self._room():
            for prefix, writer in self.writers.items():
                with writer.as_default(step=int(epoch["epoch"])):
                    for tag in ("accuracy", "loss"):
                        tf.summary.scalar(tag, epoch[prefix + tag])
                writer.flush()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Run a block that writes events: NoRoom when the disk gets full in it."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            raise NoRoom(self.directory, EPOCH_BYTES) from error
