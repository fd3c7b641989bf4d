"""A prepared job → a run directory: features, epoch after epoch of training, the network."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from logging import Logger
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import alexnet_tf
from alexnet_tf.data.features import FeatureStore
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.exports.litert import exporting_apart
from alexnet_tf.model import AlexNet, part
from alexnet_tf.runs.checkpoints import load_latest, prune_checkpoints, save_checkpoint
from alexnet_tf.runs.history import History, TensorBoardLog, best_epoch, epoch_line, write_history
from alexnet_tf.runs.run import Job, write_config
from alexnet_tf.system import signals as stopping
from alexnet_tf.system.disk import shortages
from alexnet_tf.system.files import printable, remove_leftovers, replacing
from alexnet_tf.system.locks import locked
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
        try:
            _train(job, log)
        except stopping.Stopped:
            log.info("the same command goes on from there")
            raise


def _train(job: Job, log: Logger) -> None:
    keras.utils.set_random_seed(job.settings.seed)
    tf.config.experimental.enable_op_determinism()
    job, store = _with_features(job, log)
    if not job.run.config.is_file():
        write_config(job, _versions())
    trainer, history = _resumed(job, store, log)
    tensorboard = TensorBoardLog(job.run, history)
    with stopping.postponed(), ThreadPoolExecutor(1) as beside:
        # It lacks an epoch when a kill came right after its checkpoint.
        kept = beside.submit(write_history, job.run, [*history])
        for _ in range(len(history), job.settings.epochs):
            history.append(_run_epoch(job, trainer, history, kept, log))
            log.info(epoch_line(history[-1], job.settings.epochs))
            kept.result()
            kept = beside.submit(_keep, job, trainer.state(), [*history], tensorboard)
        kept.result()
    with exporting_apart(job.run.directory, log):
        _write_model(job, _finished(job, store, trainer, history, log).network())


def _with_features(job: Job, log: Logger) -> tuple[Job, FeatureStore]:
    """The job, less pictures no longer readable, and the store of what its training reads."""
    settings = job.settings
    store = FeatureStore(
        settings.features,
        job.row,
        settings.resize,
        settings.first_computed(),
        job.row.resized if settings.crop else job.row.image_size,
        job.weights,
        settings.mirror,
        settings.precision,
    )
    what = "pictures" if store.layer == "conv1" else "features"
    rows = sorted((*job.dataset.train, *job.dataset.validation), key=lambda row: row.path)
    missing = [row for row in rows if row not in store]
    log.info("%s: %s has %d of %d", what, store.directory, len(rows) - len(missing), len(rows))
    for shortage in shortages(_needs(job, store, len(missing))):
        log.warning(shortage)
    if missing:
        start = time.monotonic()
        failed = store.fill(missing, _below(store.layer, job))
        seconds = time.monotonic() - start
        rate = len(missing) * store.views / seconds
        log.info("%s: made in %.1f s, %.0f views of pictures a second", what, seconds, rate)
        for path, reason in failed.items():
            log.warning("left out: %s %s", printable(path), reason)
        if failed and job.run.config.is_file():
            raise UserError(f"{job.run.directory}: pictures that it was started with are gone")
        if len(failed) > settings.max_lost * len(rows):
            raise UserError(
                f"{len(failed)} of {len(rows)} pictures were lost while they were read, more than "
                f"--max-lost {settings.max_lost:g} of them; the reasons are above. Once they are "
                "back the same command goes on; or allow for more"
            )
        if failed:
            job = replace(job, dataset=job.dataset.without(failed))
    return job, store


def _needs(job: Job, store: FeatureStore, missing: int) -> dict[Path, int]:
    """Bytes that are still to be written, by folder; `missing` pictures are not in the store."""
    checkpoints = sum(path.stat().st_size for path in job.run.checkpoints.glob("*.npz"))
    return {
        job.run.directory: max(0, job.size() - checkpoints),
        store.directory: store.size(missing),
    }


def _resumed(
    job: Job, store: FeatureStore, log: Logger, last: int | None = None
) -> tuple[Trainer, History]:
    """A trainer with the latest state that is kept, none after epoch `last`, and its history."""
    trainer, history = Trainer(job, store, log), []
    found = load_latest(job.run.checkpoints, log, last)
    if found:
        state, history = found
        trainer.restore(state)
        if last is None:
            log.info("going on %s of %d", trainer.place(len(history)), job.settings.epochs)
    return trainer, history


def _run_epoch(
    job: Job, trainer: Trainer, history: History, kept: Future[None], log: Logger
) -> dict[str, float]:
    """The row of the epoch; when asked to stop within it, a checkpoint of the step.

    Meanwhile the one before is `kept`; where that fails, so does this, as soon as it is known.
    """

    def check() -> None:
        if kept.done():
            kept.result()
        stopping.check()

    try:
        row = trainer.run_epoch(history, check)
    except stopping.Stopped:
        kept.result()
        save_checkpoint(job.run.checkpoints, trainer.state(), history, unfinished=True)
        log.info("stopped %s of %d", trainer.place(len(history)), job.settings.epochs)
        raise
    if not np.isfinite([row["loss"], row["val_loss"]]).all():
        raise RunError(
            f"the loss of epoch {row['epoch']} is not a number any more; the checkpoints before it "
            "are good. Start another --run with a tenth of the --learning-rate"
        )
    return row


def _keep(
    job: Job, state: dict[str, np.ndarray], history: History, tensorboard: TensorBoardLog
) -> None:
    """The checkpoint of the last epoch in `history`, and its place in the curves."""
    save_checkpoint(job.run.checkpoints, state, history)
    keep = max(job.settings.keep, job.settings.average)
    prune_checkpoints(job.run.checkpoints, keep, best_epoch(history))
    write_history(job.run, history)
    tensorboard.write(history[-1])


def _trained(job: Job, store: FeatureStore, epoch: int, log: Logger) -> Trainer:
    """A trainer as it was after `epoch`: from its checkpoint or, that being broken, by training."""
    trainer, history = _resumed(job, store, log, last=epoch)
    for again in range(len(history), epoch):
        log.info("epoch %d/%d again, for its checkpoint is lost", again + 1, job.settings.epochs)
        history.append(trainer.run_epoch(history))
    return trainer


def _finished(
    job: Job, store: FeatureStore, trainer: Trainer, history: History, log: Logger
) -> Trainer:
    """The trainer as it was after the best epoch, or with the mean of the last ones."""
    number = min(job.settings.average, len(history))
    if number:
        last = range(len(history) - number + 1, len(history) + 1)
        trainer.restore(_mean(_trained(job, store, epoch, log).state() for epoch in last))
        accuracy = trainer.validate()[1]
        log.info(
            "%s: mean of the last %d epochs, val_accuracy %.4f", job.run.model, number, accuracy
        )
        return trainer
    best = best_epoch(history)
    if best != len(history):
        trainer = _trained(job, store, best, log)
    accuracy = history[best - 1]["val_accuracy"]
    log.info("%s: the network of epoch %d, val_accuracy %.4f", job.run.model, best, accuracy)
    return trainer


def _mean(states: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean of what is float in them, and the last one of what is not."""
    mean: dict[str, np.ndarray] = {}
    for number, state in enumerate(states, 1):
        for name, array in state.items():
            before = mean.get(name, array)
            mean[name] = before + (array - before) / number if array.dtype.kind == "f" else array
    return mean


def _below(layer: str, job: Job) -> Callable[[np.ndarray], np.ndarray] | None:
    """Inputs of the network → inputs of `layer`, float32 both; None for conv1, which has the same.

    Not compiled as a whole: oneDNN's convolutions are faster than XLA's on a CPU.
    """
    if layer == "conv1":
        return None
    weights = {name: job.weights[name] for name in job.row.conv_layers if name in job.weights}
    model = AlexNet(job.row, weights=weights, include_top=False, precision=job.settings.precision)
    frozen = model if layer == "fc6" else part(model, "conv1", layer)
    forward = tf.function(lambda inputs: tf.cast(frozen(inputs, training=False), tf.float32))
    return lambda inputs: forward(inputs).numpy()


def _write_model(job: Job, model: keras.Model) -> None:
    with replacing(job.run.model, 4 * model.count_params()) as temporary:
        model.save(temporary)


def _versions() -> dict[str, str]:
    packages = {"alexnet_tf": alexnet_tf, "tensorflow": tf, "keras": keras, "numpy": np}
    versions = {name: package.__version__ for name, package in packages.items()}
    return {"python": platform.python_version(), **versions}
