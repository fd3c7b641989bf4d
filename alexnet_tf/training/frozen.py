"""The frozen layers of a training, and the features that they compute."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from logging import Logger

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.batches import BATCH as FEATURE_BATCH
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.frozen import choice
from alexnet_tf.frozen.int8 import Forward
from alexnet_tf.frozen.layers import NotHere, frozen_part
from alexnet_tf.model import AlexNet, part
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import BFLOAT16, FLOAT32, INT8, chosen_precision, trained_precision
from alexnet_tf.system.text import printable
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.job import Job, feature_stores

# Returns the frozen layers of a job in a precision; None if there are none.
Layers = Callable[[str], Forward | None]


def with_features(
    job: Job, log: Logger, workers: Workers | None = None
) -> tuple[Job, FeatureStore, FeatureStore]:
    """Compute the features of a job; return the job without unreadable pictures, and the stores for
    training and for validation, which are mostly the same. Raises UserError if too many pictures
    were lost, or any that the run was started with."""
    workers, layers = workers or Workers.alone(), cache(partial(frozen_layers, job))
    if job.settings.precision == "auto":
        precision = workers.run_on_chief(lambda: _fastest(job, layers, log))
        job = replace(job, settings=replace(job.settings, precision=precision))
    training, validation = feature_stores(job)
    parts = {training: job.dataset.train, validation: job.dataset.validation}
    if training is validation:
        parts = {training: tuple(job.dataset.labelled())}

    def fill_all() -> dict[str, str]:
        own = {store.open(workers.index): workers.own(parts[store]) for store in parts}
        if validation.missing(workers.own(job.dataset.test)):  # which are computed at the end
            layers(job.settings.precision)
        found = (fill(job, store, own[store], log, layers) for store in own)
        return {path: reason for each in found for path, reason in each.items()}

    lost = {path: found[path] for found in workers.run_on_all(fill_all) for path in found}
    return _without(job, lost), training, validation


def fill(
    job: Job,
    store: FeatureStore,
    pictures: Sequence[Picture],
    log: Logger,
    layers: Layers | None = None,
) -> dict[str, str]:
    """Fill a store with `pictures`; return path → reason of unreadable ones. `layers` are the
    frozen layers, by default those of the job."""
    what = "pictures" if store.layer == "conv1" else "features"
    # In the order of their contents: the last bits of a feature depend on the index in its batch,
    # which must not depend on paths.
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
    forward = (layers or partial(frozen_layers, job))(job.settings.precision)
    lost = store.fill(missing, forward)
    seconds = time.monotonic() - start
    rate = len(missing) * store.flips / seconds
    log.info("%s: made in %.1f s, %.0f views of pictures a second", what, seconds, rate)
    for path, reason in lost.items():
        log.warning("left out: %s %s", printable(path), reason)
    return lost


def _fastest(job: Job, layers: Layers, log: Logger) -> str:
    """Return the fastest precision that computes a job's frozen layers rightly; warn of int8."""
    for precision in _fastest_first(job.settings, log):
        try:
            layers(precision)
            return precision
        except NotHere as error:
            if precision != INT8:  # which is followed by what asks less of a processor
                warn_once(str(error))
    return FLOAT32


def _fastest_first(settings: Settings, log: Logger) -> list[str]:
    """Return the precisions for these settings, the fastest first: without int8 for convolutions
    that each epoch computes. Where some are trained, and bfloat16 is faster for them than float32,
    that counts for more than the frozen ones."""
    chosen = chosen_precision()
    if chosen:
        return [chosen]
    order, trained = choice.fastest_first(), choice.fastest_of_tensorflow()
    log.info("measured: %s", choice.in_words(choice.pictures_a_second()))
    is_trained = settings.first_trained() < "fc6" and trained == BFLOAT16
    return [trained] if is_trained or settings.first_computed() == "conv1" else order


def frozen_layers(job: Job, precision: str) -> Forward | None:
    """Return what computes the inputs of the lowest trained layer; None for conv1, which has the
    network's own. Raises NotHere for int8 where that is not installed, or wrong."""
    layer = job.settings.first_computed()
    if layer == "conv1":
        return None
    weights = {name: pair for name, pair in job.weights.items() if name < max(layer, "fc6")}
    variant, others = replace(job.variant, mirrored=False), trained_precision(precision)
    model = AlexNet(variant, weights=weights, include_top=layer > "fc6", precision=others)
    below = model if layer == "fc6" else part(model, "conv1", layer)
    return frozen_part(below, job.variant, precision, FEATURE_BATCH)


def _without(job: Job, lost: dict[str, str]) -> Job:
    """Return the job without the pictures that were `lost` (path → reason)."""
    pictures = len([*job.dataset.labelled()])
    if lost and job.run.config_path.is_file():
        raise UserError(f"{job.run.directory}: pictures that it was started with are gone")
    if len(lost) > job.settings.max_lost * pictures:
        raise UserError(
            f"{len(lost)} of {pictures} pictures were lost while they were read, more than "
            f"--max-lost {job.settings.max_lost:g} of them; the reasons are above. Once they are "
            "back the same command goes on; or allow for more"
        )
    return replace(job, dataset=job.dataset.without(lost)) if lost else job
