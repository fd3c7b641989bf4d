"""The learning rate of a step."""

import math
from collections.abc import Sequence

from alexnet_tf.runs.settings import Settings


def learning_rate(
    settings: Settings, accuracies: Sequence[float], samples: int, pictures: int = 0
) -> float:
    """Return the learning rate of the step after `samples`; an epoch has so many `pictures`.
    `accuracies` are the validation accuracies of earlier epochs. The rate depends on nothing else,
    so that a resumed training continues with the same rate."""
    times = {
        "constant": 0,
        "plateau": _plateaus(accuracies, settings.patience),
        "exponential": samples // settings.decay_samples,
        "cosine": 0,
    }[settings.schedule]
    rate = settings.learning_rate * settings.decay**times
    warm = settings.warm_up * pictures
    if settings.schedule == "cosine":  # Loshchilov 2017, equation 5, without restarts
        fallen = (samples - warm) / max(1, settings.fall * pictures - warm)
        rate *= (1 + math.cos(math.pi * min(max(fallen, 0), 1))) / 2
    return rate * min(1.0, (samples + settings.batch_size) / warm) if warm else rate


def _plateaus(accuracies: Sequence[float], patience: int) -> int:
    """Count how often the best accuracy has not improved for `patience` epochs."""
    plateaus, best, waited = 0, -1.0, 0
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == patience:
            plateaus, waited = plateaus + 1, 0
    return plateaus
