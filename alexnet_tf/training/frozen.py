"""The frozen layers of a training, and what they make of its pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from logging import Logger
from pathlib import Path

import numpy as np
import tensorflow as tf

from alexnet_tf.data.batches import BATCH as FEATURE_BATCH
from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet, part
from alexnet_tf.runs.checkpoints import list_checkpoints
from alexnet_tf.system.disk import shortages
from alexnet_tf.system.text import printable
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.job import Job


def with_features(
    job: Job, log: Logger, workers: Workers | None = None
) -> tuple[Job, FeatureStore, FeatureStore]:
    """Fill the stores of what the training of `job` reads; return the job, less pictures no longer
    readable, and the stores of what it trains and what it validates with.

    Mostly that is one. Raises UserError when too many pictures were lost, or one that the run was
    started with.
    """
    workers = workers or Workers.alone()
    training, validation = feature_store(job), validation_store(job)
    parts = {training: job.dataset.train, validation: job.dataset.validation}
    if training.directory == validation.directory:
        validation, parts = training, {training: (*job.dataset.train, *job.dataset.validation)}

    def fill_all() -> dict[str, str]:
        own = {store.open(workers.index): workers.own(parts[store]) for store in parts}
        missing = {store: store.missing(own[store]) for store in own}
        for shortage in shortages(_needs(job, missing)):
            log.warning(shortage)
        return {k: v for store in own for k, v in fill(job, store, own[store], log).items()}

    lost = {path: found[path] for found in workers.together(fill_all) for path in found}
    return _without(job, lost), training, validation


def fill(job: Job, store: FeatureStore, pictures: Sequence[Picture], log: Logger) -> dict[str, str]:
    """Fill a store with `pictures`; return path → reason of those no longer readable."""
    what = "pictures" if store.layer == "conv1" else "features"
    # By what they hold: the last bits of a feature depend on the place in its batch, which must
    # not depend on where the pictures are.
    pictures = sorted(pictures, key=lambda picture: picture.digest)
    missing = store.missing(pictures)
    made = len(pictures) - len(missing)
    log.info("%s: %s has %d of %d", what, store.directory, made, len(pictures))
    if not missing:
        return {}
    size = store.size(len(missing))
    each = store.size(FEATURE_BATCH) / FEATURE_BATCH
    log.info(f"{what}: {size / 1e6:,.0f} MB on the disk, {each / 1e3:,.0f} KB a picture")
    start = time.monotonic()
    lost = store.fill(missing, frozen_layers(job, store.layer))
    seconds = time.monotonic() - start
    rate = len(missing) * store.views / seconds
    log.info("%s: made in %.1f s, %.0f views of pictures a second", what, seconds, rate)
    for path, reason in lost.items():
        log.warning("left out: %s %s", printable(path), reason)
    return lost


def feature_store(job: Job) -> FeatureStore:
    """Return the store, not yet opened, of the inputs of the lowest layer that is not frozen."""
    settings, variant, layer = job.settings, job.variant, job.settings.first_computed()
    if layer == "conv1":
        side = variant.resized if settings.crop else variant.picture_size
        return FeatureStore.of_pictures(settings.features, variant, settings.resize, side)
    return FeatureStore.of_layer(
        settings.features,
        variant,
        settings.resize,
        job.weights,
        layer,
        settings.mirror,
        settings.precision,
    )


def validation_store(job: Job) -> FeatureStore:
    """Return the store, not yet opened, of the same as prediction sees it.

    With --crop that is not the centre of what training cuts from: cut from the whole picture, the
    centre may begin a pixel later, and its pixels a grey apart.
    """
    settings, variant = job.settings, job.variant
    if not settings.crop:
        return feature_store(job)
    side = variant.picture_size
    return FeatureStore.of_pictures(settings.features, variant, settings.resize, side)


def frozen_layers(job: Job, layer: str) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what maps inputs of the network to inputs of `layer`, float32 both; None for conv1,
    which has the same.

    Not compiled as a whole: oneDNN's convolutions are faster than XLA's on a CPU.
    """
    if layer == "conv1":
        return None
    weights = {name: pair for name, pair in job.weights.items() if name < max(layer, "fc6")}
    model = AlexNet(
        replace(job.variant, mirrored=False),
        weights=weights,
        include_top=layer > "fc6",
        precision=job.settings.precision,
    )
    frozen = model if layer == "fc6" else part(model, "conv1", layer)
    forward = tf.function(lambda inputs: tf.cast(frozen(inputs, training=False), tf.float32))
    return lambda inputs: forward(inputs).numpy()


def _needs(job: Job, missing: dict[FeatureStore, list[Picture]]) -> dict[Path, int]:
    """Return the bytes still to be written, by folder; the stores lack those pictures."""
    paths = list_checkpoints(job.run.checkpoints_folder)
    checkpoints = sum(path.stat().st_size for path in paths)
    return {
        job.run.directory: max(0, job.size() - checkpoints),
        **{store.directory: store.size(len(missing[store])) for store in missing},
    }


def _without(job: Job, lost: dict[str, str]) -> Job:
    """Return the job without those of its pictures that were `lost` (path → reason)."""
    pictures = len(job.dataset.train) + len(job.dataset.validation)
    if lost and job.run.config_path.is_file():
        raise UserError(f"{job.run.directory}: pictures that it was started with are gone")
    if len(lost) > job.settings.max_lost * pictures:
        raise UserError(
            f"{len(lost)} of {pictures} pictures were lost while they were read, more than "
            f"--max-lost {job.settings.max_lost:g} of them; the reasons are above. Once they are "
            "back the same command goes on; or allow for more"
        )
    return replace(job, dataset=job.dataset.without(lost)) if lost else job
