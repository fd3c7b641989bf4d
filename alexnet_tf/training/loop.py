"""Training a prepared job: epochs, checkpoints, the finished network."""

import platform
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from logging import Logger
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import alexnet_tf
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import RunError
from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.runs.accuracy import CROSS_VALIDATED, Accuracy, keep_accuracy
from alexnet_tf.runs.checkpoints import load_latest, not_finite, prune_checkpoints, save_checkpoint
from alexnet_tf.runs.choice import number_finished
from alexnet_tf.runs.history import (
    History,
    Stopwatch,
    best_epoch,
    is_early_enough,
    write_history,
)
from alexnet_tf.runs.model_metadata import write_model_metadata
from alexnet_tf.runs.predictions import write_predictions
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import LINEAR
from alexnet_tf.system import signals
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.locks import locked
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.epoch import DatasetMetrics
from alexnet_tf.training.frozen import fill, with_features
from alexnet_tf.training.job import Job, write_config
from alexnet_tf.training.linear import LinearTrainer
from alexnet_tf.training.novelty import fit_novelty
from alexnet_tf.training.tensorboard import TensorBoardLog
from alexnet_tf.training.trainer import Trainer

# Prepares to export the model.keras that a run directory will hold; returns what does so.
Exporting = Callable[[Path, Logger], Callable[[], None]]


def train(
    job: Job,
    log: Logger,
    watch: Stopwatch | None = None,
    workers: Workers | None = None,
    exporting: Exporting | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train, or resume training, until `job.settings.epochs` epochs are done; write model.keras.

    The weights after an epoch depend on the job alone, because all random numbers follow from its
    seed and the epoch: a killed training that is resumed ends bit for bit like any other. A request
    to stop raises Stopped after a checkpoint of the current step was written. Raises UserError
    while another process trains in the same directory, and NoRoom when a disk is full. `watch`
    counts the seconds of features, epochs and the finished model; `exporting` is called when the
    epochs are done, and what it returns when model.keras is complete.

    Several `workers` train together, each with the job of the chief, which alone writes to the run.
    Raises RunError if one of them is lost.
    """
    watch, workers = watch or Stopwatch(), workers or Workers.alone()
    with ExitStack() as held, workers.watched():
        workers.run_on_chief(lambda: _begin(job, log, held))
        keras.utils.set_random_seed(job.settings.seed)
        tf.config.experimental.enable_op_determinism()
        try:
            job, *stores = with_features(job, log, workers)
            watch.lap("features")
            if workers.is_chief:
                write_config(job, versions())
            loop = Loop(job, stores, log, workers)
            loop.run_epochs(callbacks if workers.is_chief else ())
            watch.lap("epochs")
            export = exporting(job.run.directory, log) if exporting and workers.is_chief else None
            trainer = loop.choose_weights()
            found = finish(trainer, log)
            novelty, of_validation = fit_novelty(trainer)
            if workers.is_chief:
                network = trainer.network()
                write_model(job.run, network, novelty)
                number_finished(job.run)
                write_predictions(job.run, found.probabilities, of_validation)
                if export:
                    export()
            test = _measure_test(trainer, log)
            if workers.is_chief:
                loop.tensorboard.finish(trainer, network, loop.history, found, test)
                _tell_accuracy(job, found, test, log)
            watch.lap("finished model")
        except signals.Stopped:
            log.info("the same command goes on from there")
            raise


def _begin(job: Job, log: Logger, held: ExitStack) -> None:
    """Lock the run's directory, and tidy it."""
    held.enter_context(locked(job.run.directory))
    job.run.check_folder()
    job.check_unchanged()
    job.run.remove_leftovers()
    for warning in job.warnings:
        log.warning(warning)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the numeric packages, by name."""
    packages = {"alexnet_tf": alexnet_tf, "tensorflow": tf, "keras": keras, "numpy": np}
    numbers = {name: package.__version__ for name, package in packages.items()}
    return {"python": platform.python_version(), **numbers}


def write_model(run: Run, model: keras.Model, novelty: Novelty | None = None) -> None:
    """Write model.keras, with `novelty` in it, atomically; RunError for NaN or infinite weights."""
    infinite = not_finite({each.path: each.numpy() for each in model.variables})
    if infinite:
        raise RunError(
            f"{run.model_path}: is not written, because {infinite} would hold NaN or infinite "
            "numbers; start another --run with a tenth of the --learning-rate"
        )
    with atomic_write(run.model_path, 4 * model.count_params()) as temporary:
        model.save(temporary)
        write_model_metadata(temporary, run.read_config(), novelty)


def finish(trainer: Trainer, log: Logger) -> DatasetMetrics:
    """Calibrate the network, if configured; return the metrics of its final predictions."""
    if trainer.settings.calibrate and trainer.settings.head != LINEAR:
        before, after, found = trainer.calibrate()
        log.info(
            f"calibrated: temperature {trainer.temperature:.2f}, expected calibration error "
            f"{before:.4f} before, {after:.4f} after"
        )
        if found:
            return found
    return trainer.measure(trainer.validation, "validation")


def _measure_test(trainer: Trainer, log: Logger) -> DatasetMetrics | None:
    """Evaluate the finished network once on the test set; None without one."""
    job, store, workers = trainer.job, trainer.validation.store, trainer.workers
    own = workers.own(job.dataset.test)
    results = workers.run_on_all(lambda: fill(job, store, own, log) if own else {})
    lost = {path for result in results for path in result}
    pictures = [picture for picture in job.dataset.test if picture.path not in lost]
    if not pictures:
        return None
    return trainer.measure(trainer.examples(pictures, store), "test")


def _tell_accuracy(
    job: Job, found: DatasetMetrics, test: DatasetMetrics | None, log: Logger
) -> None:
    """Keep and log the accuracy of the finished network: on the test set if there is one, because
    nothing was chosen by it, or else on the validation set."""
    dataset, views = job.dataset, job.variant.views
    labels = [picture.label for picture in dataset.validation]
    part = CROSS_VALIDATED if dataset.is_cross_validated else "validation"
    accuracy = validation = Accuracy.of(part, found.accuracy, labels)
    if test:
        labels = [picture.label for picture in dataset.test]
        accuracy = Accuracy.of("test", test.accuracy, labels)
    keep_accuracy(job.run, accuracy)
    low, high = accuracy.interval()
    said = f"{accuracy} ({low:.4f} to {high:.4f} of all such pictures, 95% interval)"
    if accuracy.part == CROSS_VALIDATED:
        said += ", each predicted by a head that was trained without it"
    elif views > 1:
        said += f", averaged over {views} test-time views of each (an epoch's figures over fewer)"
    if test:
        said += f"; {validation}"
    if not job.settings.average and part != CROSS_VALIDATED:
        said += ", which chose the epoch" if test else "; they chose the epoch, which flatters"
    log.info(said)


class Loop:
    """The epochs of a training: a trainer with the latest checkpoint's state, and its history."""

    def __init__(self, job: Job, stores: Sequence[FeatureStore], log: Logger, workers: Workers):
        self.job, self.stores, self.log, self.workers = job, stores, log, workers
        self.expected = job.expected()
        # A longer training may have left later checkpoints, which stay for the next one.
        self.trainer, self.history = self._restored(job.settings.epochs, "going on")
        if workers.is_chief:
            self.tensorboard = TensorBoardLog(job, self.trainer.learner.model, self.history)

    def run_epochs(self, callbacks: Sequence[keras.callbacks.Callback] = ()) -> None:
        """Train until all epochs are done; each is written while the next one trains."""
        epochs = self.job.settings.epochs
        callback_list = keras.callbacks.CallbackList(callbacks, **asdict(self.job.settings))
        callback_list.on_train_begin()
        with signals.postponed(), ThreadPoolExecutor(1) as beside:
            # history.csv lacks an epoch if a kill came right after its checkpoint.
            kept = beside.submit(self._write_history, [*self.history])
            while len(self.history) < epochs and not self._is_enough():
                self.history.append(self._next_epoch(kept))
                self.log.info(epoch_line(self.history[-1], epochs))
                kept.result()
                state, history = self.trainer.state(), [*self.history]
                self.workers.check_equal(state)
                kept = beside.submit(self._keep, state, history, self.trainer.predictions)
                callback_list.on_epoch_end(len(history) - 1, _logs(history))
            kept.result()
        callback_list.on_train_end(_logs(self.history))

    def _is_enough(self) -> bool:
        """Check, and log, whether --stop-early applies, or a linear head has all its strengths."""
        if len(self.history) >= self.trainer.most_epochs:
            self.log.info("that is enough: the head was solved for with every strength")
            return True
        most = self.job.settings.stop_early
        if not is_early_enough(self.history, most):
            return False
        self.log.info(f"that is enough: no lower val_loss for {most} epochs (--stop-early)")
        return True

    def choose_weights(self) -> Trainer:
        """Return the trainer with the weights of the best epoch, or the mean of the last ones."""
        model, history = self.job.run.model_path, self.history
        number = min(self.job.settings.average, len(history))
        if number:
            last = range(len(history) - number + 1, len(history) + 1)
            self.trainer.restore(mean_state(self.retrain_to(epoch).state() for epoch in last))
            self.log.info("%s: mean of the last %d epochs", model, number)
            return self.trainer
        best = best_epoch(history, self.job.settings.best)
        is_at_best = best == len(history) and not self.trainer.steps_begun
        trainer = self.trainer if is_at_best else self.retrain_to(best)
        self.log.info("%s: the network of epoch %d", model, best)
        return trainer

    def retrain_to(self, epoch: int) -> Trainer:
        """Return a trainer with the state after `epoch`: from its checkpoint or, if that is broken,
        by training again from an earlier one."""
        trainer, history = self._restored(epoch, trainer=self.trainer)
        epochs = self.job.settings.epochs
        for again in range(len(history), epoch):
            self.log.info("epoch %d/%d again, for its checkpoint is lost", again + 1, epochs)
            history.append(trainer.run_epoch(history))
        return trainer

    def _restored(
        self, last: int, what: str = "", trainer: Trainer | None = None
    ) -> tuple[Trainer, History]:
        """Return a trainer with the state of the latest checkpoint up to epoch `last`, and its
        history; if there is one, log `what` and its position."""
        folder, settings = self.job.run.checkpoints_folder, self.job.settings
        kept = self.workers.run_on_chief(lambda: load_latest(folder, self.log, last, self.expected))
        if not (kept and trainer):
            training, validation = self.stores
            kind = LinearTrainer if settings.head == LINEAR else Trainer
            trainer = kind(self.job, training, validation, self.log, self.workers).prepare()
        if not kept:
            return trainer, []
        state, history = kept
        trainer.restore(state)
        if what and len(history) == settings.epochs:
            self.log.info(f"finished after epoch {last} of {last}; more --epochs would go on")
        elif what:
            self._say(what, trainer, history)
        return trainer, history

    def _next_epoch(self, kept: Future[None]) -> dict[str, float]:
        """Train an epoch while the one before is `kept`, whose failure fails this one, too; on a
        request to stop, write a checkpoint of the step."""

        def check() -> None:
            if kept.done():
                kept.result()
            self.workers.check()

        try:
            epoch = self.trainer.run_epoch(self.history, check)
        except signals.Stopped:
            kept.result()
            if self.workers.is_chief and self.trainer.steps_begun:
                folder, state = self.job.run.checkpoints_folder, self.trainer.state()
                whose = self.expected.identity
                save_checkpoint(folder, state, self.history, unfinished=True, identity=whose)
            self._say("stopped", self.trainer, self.history)
            raise
        if not np.isfinite([epoch["loss"], epoch["val_loss"]]).all():
            raise _diverged("the loss", epoch)
        return epoch

    def _keep(
        self, state: dict[str, np.ndarray], history: History, predictions: np.ndarray
    ) -> None:
        """Write the checkpoint and the events of the last epoch in `history`."""
        folder, settings = self.job.run.checkpoints_folder, self.job.settings
        infinite = not_finite(state)
        if infinite:  # which the loss may not show
            raise _diverged(infinite, history[-1])
        if not self.workers.is_chief:
            return
        self.tensorboard.write(history[-1], state, predictions)
        save_checkpoint(folder, state, history, identity=self.expected.identity)
        best = best_epoch(history, settings.best)
        prune_checkpoints(folder, max(settings.keep, settings.average), best, len(history))
        self._write_history(history)
        self.tensorboard.show(len(history))

    def _write_history(self, history: History) -> None:
        if self.workers.is_chief:
            write_history(self.job.run, history)

    def _say(self, what: str, trainer: Trainer, history: History) -> None:
        """Log the position of the training: '`what` after epoch 3 of 10'."""
        step, epoch = trainer.steps_begun, len(history)
        place = f"step {step} in epoch {epoch + 1}" if step else f"epoch {epoch}"
        self.log.info(f"{what} after {place} of {self.job.settings.epochs}")


def _logs(history: History) -> dict[str, float]:
    """Return the last epoch as callbacks see it."""
    last = history[-1] if history else {}
    return {name: value for name, value in last.items() if name not in ("epoch", "seconds")}


def _diverged(what: str, epoch: dict[str, float]) -> RunError:
    return RunError(
        f"{what} of epoch {epoch['epoch']} is not a number any more; the checkpoints before it are "
        "good. Start another --run with a tenth of the --learning-rate"
    )


def epoch_line(epoch: dict[str, float], epochs: int) -> str:
    """Put a finished epoch, one of `epochs`, into a line of the log."""
    return (
        f"epoch {epoch['epoch']}/{epochs}  loss {epoch['loss']:.4f}  "
        f"accuracy {epoch['accuracy']:.4f}  val_loss {epoch['val_loss']:.4f}  "
        f"val_accuracy {epoch['val_accuracy']:.4f}  {epoch['seconds']:.1f} s"
    )


def mean_state(states: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Average the float arrays of the states; of others return the last."""
    mean: dict[str, np.ndarray] = {}
    for number, state in enumerate(states, 1):
        for name, array in state.items():
            before = mean.get(name, array)
            mean[name] = before + (array - before) / number if array.dtype.kind == "f" else array
    return mean
