"""The novelty of pictures, fitted to the features of a training's pictures."""

import numpy as np
import tensorflow as tf

from alexnet_tf.data.features.examples import Examples
from alexnet_tf.layers import ChannelStatistics
from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.system.processor import one_thread
from alexnet_tf.training.trainer import CHUNK, Trainer

# Most pictures that are looked at.
MOST = 4096


def fit_novelty(trainer: Trainer) -> tuple[Novelty | None, np.ndarray]:
    """Fit it to the training pictures; return it, None where the features are not those of all
    convolutions, or the pictures too few, and the novelty of the validation pictures, float32 (n,),
    which is NaN for those that were not looked at."""
    training, validation = trainer.training, trainer.validation
    of_validation = np.full(len(validation), np.nan, np.float32)
    if trainer.store.layer != "fc6":
        return None, of_validation
    with one_thread():  # the same order of sums on any machine
        numbers = training.sample(MOST)
        found, out_of_fold = Novelty.fit(_statistics(trainer, training), training.labels[numbers])
        if trainer.job.dataset.is_cross_validated:  # on the same pictures
            of_validation[numbers] = out_of_fold
        elif found:
            novelty = found.of(_statistics(trainer, validation))
            of_validation[validation.sample(MOST)] = novelty
            trainer.log.info(
                f"unlike all training pictures: {np.sum(novelty > 1)} of {len(novelty)} "
                "validation pictures"
            )
    return found, of_validation


def _statistics(trainer: Trainer, examples: Examples) -> np.ndarray:
    """Compute the channel statistics of at most `MOST` examples, float32 (n, 2c), averaged over
    the picture and its mirror image where predictions see both."""
    store, variant = examples.store, trainer.job.variant
    shape = variant.maxima_shape if variant.scaled else variant.pool5_shape
    numbers, compute = examples.sample(MOST), tf.function(ChannelStatistics())
    own = examples.slots[numbers[examples.rows(numbers)]]
    found = [np.empty((0, 2 * shape[-1]), np.float32)]
    for start in range(0, len(own), CHUNK):
        chunk = own[start : start + CHUNK]
        flips = [
            compute(store.read(chunk, flip).reshape(-1, *shape).astype(np.float32)).numpy()
            for flip in range(1 + variant.mirrored)
        ]
        found.append(np.mean(flips, axis=0))
    return trainer.gather(np.concatenate(found), examples, numbers)
