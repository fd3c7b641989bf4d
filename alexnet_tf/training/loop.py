"""A prepared job → a run directory: epoch after epoch of training, the finished network."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from logging import Logger

import keras
import numpy as np
import tensorflow as tf

import alexnet_tf
from alexnet_tf.data.features import FeatureStore
from alexnet_tf.errors import RunError
from alexnet_tf.exports.litert import exporting_apart
from alexnet_tf.runs.checkpoints import load_latest, prune_checkpoints, save_checkpoint
from alexnet_tf.runs.history import History, best_epoch, write_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system import signals
from alexnet_tf.system.files import remove_leftovers, replacing
from alexnet_tf.system.locks import locked
from alexnet_tf.training.frozen import with_features
from alexnet_tf.training.job import Job, write_config
from alexnet_tf.training.tensorboard import TensorBoardLog
from alexnet_tf.training.trainer import Trainer


def train(job: Job, log: Logger) -> None:
    """Train, or go on training, until `job.settings.epochs` epochs are done; leave model.keras.

    The weights after an epoch depend on the job alone, for every order and random number follows
    from its seed and the epoch: a training that was killed ends as one that was not, bit for bit.
    Asked to stop, it raises Stopped and leaves a checkpoint of the very step. Raises UserError
    while another process trains in the same directory, and NoRoom when a disk is full.
    """
    with locked(job.run.directory):
        remove_leftovers(job.run.directory)
        keras.utils.set_random_seed(job.settings.seed)
        tf.config.experimental.enable_op_determinism()
        try:
            job, store = with_features(job, log)
            if not job.run.config_path.is_file():
                write_config(job, versions())
            loop = Loop(job, store, log)
            loop.run_epochs()
            with exporting_apart(job.run.directory, log):
                write_model(job.run, loop.choose_weights().network())
        except signals.Stopped:
            log.info("the same command goes on from there")
            raise


def versions() -> dict[str, str]:
    """Return the versions of Python and of what computes, by name."""
    packages = {"alexnet_tf": alexnet_tf, "tensorflow": tf, "keras": keras, "numpy": np}
    numbers = {name: package.__version__ for name, package in packages.items()}
    return {"python": platform.python_version(), **numbers}


def write_model(run: Run, model: keras.Model) -> None:
    """Write model.keras, whole or not at all."""
    with replacing(run.model_path, 4 * model.count_params()) as temporary:
        model.save(temporary)


class Loop:
    """The epochs of a training: a trainer with the latest state that is kept, and its history."""

    def __init__(self, job: Job, store: FeatureStore, log: Logger):
        self.job, self.store, self.log = job, store, log
        self.trainer, self.history = self._restored()

    def run_epochs(self) -> None:
        """Train until all epochs are done; while one trains, the one before it is written."""
        run, epochs = self.job.run, self.job.settings.epochs
        tensorboard = TensorBoardLog(run, self.history)
        with signals.postponed(), ThreadPoolExecutor(1) as beside:
            # It lacks an epoch when a kill came right after its checkpoint.
            kept = beside.submit(write_history, run, [*self.history])
            for _ in range(len(self.history), epochs):
                self.history.append(self._next_epoch(kept))
                self.log.info(epoch_line(self.history[-1], epochs))
                kept.result()
                state, history = self.trainer.state(), [*self.history]
                kept = beside.submit(self._keep, state, history, tensorboard)
            kept.result()

    def choose_weights(self) -> Trainer:
        """Return the trainer as it was after the best epoch, or with the mean of the last ones."""
        model, history = self.job.run.model_path, self.history
        number = min(self.job.settings.average, len(history))
        if number:
            last = range(len(history) - number + 1, len(history) + 1)
            self.trainer.restore(mean_state(self.retrain_to(epoch).state() for epoch in last))
            accuracy = self.trainer.validate()[1]
            words = "%s: mean of the last %d epochs, val_accuracy %.4f"
            self.log.info(words, model, number, accuracy)
            return self.trainer
        best = best_epoch(history)
        trainer = self.trainer if best == len(history) else self.retrain_to(best)
        accuracy = history[best - 1]["val_accuracy"]
        self.log.info("%s: the network of epoch %d, val_accuracy %.4f", model, best, accuracy)
        return trainer

    def retrain_to(self, epoch: int) -> Trainer:
        """Return a trainer as it was after `epoch`: from its checkpoint or, that being broken, by
        training again from the one before."""
        trainer, history = self._restored(last=epoch)
        epochs = self.job.settings.epochs
        for again in range(len(history), epoch):
            self.log.info("epoch %d/%d again, for its checkpoint is lost", again + 1, epochs)
            history.append(trainer.run_epoch(history))
        return trainer

    def _restored(self, last: int | None = None) -> tuple[Trainer, History]:
        """Return a trainer with the latest state that is kept, none after epoch `last`, and its
        history."""
        trainer, history = Trainer(self.job, self.store, self.log).prepare(), []
        found = load_latest(self.job.run.checkpoints_folder, self.log, last)
        if found:
            state, history = found
            trainer.restore(state)
            if last is None:
                self._say("going on", trainer, history)
        return trainer, history

    def _next_epoch(self, kept: Future[None]) -> dict[str, float]:
        """Train an epoch and return it; when asked to stop within it, leave a checkpoint of the
        step.

        Meanwhile the one before is `kept`; where that fails, so does this, as soon as it is known.
        """

        def check() -> None:
            if kept.done():
                kept.result()
            signals.check()

        try:
            epoch = self.trainer.run_epoch(self.history, check)
        except signals.Stopped:
            kept.result()
            folder, state = self.job.run.checkpoints_folder, self.trainer.state()
            save_checkpoint(folder, state, self.history, unfinished=True)
            self._say("stopped", self.trainer, self.history)
            raise
        if not np.isfinite([epoch["loss"], epoch["val_loss"]]).all():
            raise RunError(
                f"the loss of epoch {epoch['epoch']} is not a number any more; the checkpoints "
                "before it are good. Start another --run with a tenth of the --learning-rate"
            )
        return epoch

    def _keep(
        self, state: dict[str, np.ndarray], history: History, tensorboard: TensorBoardLog
    ) -> None:
        """Write the checkpoint of the last epoch in `history`, and its place in the curves."""
        folder, settings = self.job.run.checkpoints_folder, self.job.settings
        save_checkpoint(folder, state, history)
        prune_checkpoints(folder, max(settings.keep, settings.average), best_epoch(history))
        write_history(self.job.run, history)
        tensorboard.write(history[-1])

    def _say(self, what: str, trainer: Trainer, history: History) -> None:
        """Log where the training stands: '`what` after epoch 3 of 10'."""
        place, epochs = trainer.place(len(history)), self.job.settings.epochs
        self.log.info(f"{what} {place} of {epochs}")


def epoch_line(epoch: dict[str, float], epochs: int) -> str:
    """Put a finished epoch, one of `epochs`, into a line of the log."""
    return (
        f"epoch {epoch['epoch']}/{epochs}  loss {epoch['loss']:.4f}  "
        f"accuracy {epoch['accuracy']:.4f}  val_loss {epoch['val_loss']:.4f}  "
        f"val_accuracy {epoch['val_accuracy']:.4f}  {epoch['seconds']:.1f} s"
    )


def mean_state(states: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Compute the mean of what is float in the states; of what is not, return the last one."""
    mean: dict[str, np.ndarray] = {}
    for number, state in enumerate(states, 1):
        for name, array in state.items():
            before = mean.get(name, array)
            mean[name] = before + (array - before) / number if array.dtype.kind == "f" else array
    return mean
