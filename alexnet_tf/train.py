"""A prepared job → a run directory: features, epoch after epoch of the head, the whole network."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from logging import Logger

import keras
import numpy as np
import tensorflow as tf

import alexnet_tf
from alexnet_tf.checkpoints import (
    checkpoint_path,
    latest_checkpoint,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.features import FeatureStore
from alexnet_tf.files import printable, replacing
from alexnet_tf.history import TensorBoardLog, best_epoch, epoch_line, write_history
from alexnet_tf.model import AlexNet
from alexnet_tf.run import Job, write_config
from alexnet_tf.trainer import HeadTrainer


def train(job: Job, log: Logger) -> None:
    """Train, or go on training, until `job.settings.epochs` epochs are done; leave model.keras.

    The weights after an epoch depend on the job alone, for every order and random number follows
    from its seed and the epoch: a training that was killed ends as one that was not, bit for bit.
    """
    keras.utils.set_random_seed(job.settings.seed)
    tf.config.experimental.enable_op_determinism()
    job, store = _with_features(job, log)
    if not job.run.config.is_file():
        write_config(job, _versions())
    trainer, history = HeadTrainer(job, store), []
    checkpoint = latest_checkpoint(job.run.checkpoints)
    if checkpoint:
        state, history = load_checkpoint(checkpoint)
        trainer.restore(state)
        log.info("going on after epoch %d of %d", len(history), job.settings.epochs)
    tensorboard = TensorBoardLog(job.run, history)
    for epoch in range(len(history), job.settings.epochs):
        history.append(trainer.run_epoch(epoch))
        _check_loss(history[-1])
        save_checkpoint(job.run.checkpoints, trainer.state(), history)
        prune_checkpoints(job.run.checkpoints, job.settings.keep, best_epoch(history))
        write_history(job.run, history)
        tensorboard.write(history[-1])
        log.info(epoch_line(history[-1], job.settings.epochs))
    best = best_epoch(history)
    trainer.restore(load_checkpoint(checkpoint_path(job.run.checkpoints, best))[0])
    _export(job, trainer)
    accuracy = history[best - 1]["val_accuracy"]
    log.info("%s: the network of epoch %d, val_accuracy %.4f", job.run.model, best, accuracy)


def _with_features(job: Job, log: Logger) -> tuple[Job, FeatureStore]:
    """The store that has pool5 of every picture of the job, less those no longer readable."""
    settings = job.settings
    store = FeatureStore(
        settings.features,
        job.weights,
        settings.variant,
        settings.resize,
        settings.mirror,
        settings.precision,
    )
    rows = sorted((*job.dataset.train, *job.dataset.validation), key=lambda row: row.path)
    missing = [row for row in rows if row not in store]
    log.info("features: %s has %d of %d", store.directory, len(rows) - len(missing), len(rows))
    if missing:
        start = time.monotonic()
        failed = store.fill(missing, _convolutions(job))
        seconds = time.monotonic() - start
        rate = len(missing) * store.views / seconds
        log.info("features: computed in %.1f s, %.0f views of pictures a second", seconds, rate)
        for path, reason in failed.items():
            log.warning("left out: %s %s", printable(path), reason)
        if failed and job.run.config.is_file():
            raise UserError(f"{job.run.directory}: pictures that it was started with are gone")
        if failed:
            job = replace(job, dataset=job.dataset.without(failed))
    return job, store


def _convolutions(job: Job) -> Callable[[np.ndarray], np.ndarray]:
    """Inputs of the network → pool5, compiled: XLA fuses the normalization into one pass."""
    model = AlexNet(job.settings.variant, weights=job.weights, include_top=False)
    forward = tf.function(lambda inputs: model(inputs, training=False), jit_compile=True)
    return lambda inputs: forward(inputs).numpy()


def _export(job: Job, trainer: HeadTrainer) -> None:
    """Write model.keras: the frozen convolutions and the trained head, as one AlexNet."""
    weights = job.weights | trainer.weights()
    model = AlexNet(job.settings.variant, len(job.dataset.classes), weights)
    with replacing(job.run.model) as temporary:
        model.save(temporary)


def _check_loss(row: dict[str, float]) -> None:
    if not np.isfinite([row["loss"], row["val_loss"]]).all():
        raise RunError(
            f"the loss of epoch {row['epoch']} is not a number any more; the checkpoints before it "
            "are good. Start another --run with a tenth of the --learning-rate"
        )


def _versions() -> dict[str, str]:
    packages = {"alexnet_tf": alexnet_tf, "tensorflow": tf, "keras": keras, "numpy": np}
    versions = {name: package.__version__ for name, package in packages.items()}
    return {"python": platform.python_version(), **versions}
