"""The learning rate of a step."""

from __future__ import annotations

from collections.abc import Sequence

from alexnet_tf.runs.settings import Settings


def learning_rate(settings: Settings, accuracies: Sequence[float], samples: int) -> float:
    """Return the rate of the step after `samples` pictures, in the epoch after `accuracies`.

    Those are the validation accuracies of the epochs so far. It follows from these alone, so that a
    training that goes on does so at the rate at which it stopped.
    """
    times = {
        "constant": 0,
        "plateau": _plateaus(accuracies, settings.patience),
        "exponential": samples // settings.decay_samples,
    }[settings.schedule]
    return settings.learning_rate * settings.decay**times


def _plateaus(accuracies: Sequence[float], patience: int) -> int:
    """Count how often no new best accuracy came for `patience` epochs."""
    plateaus, best, waited = 0, -1.0, 0
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == patience:
            plateaus, waited = plateaus + 1, 0
    return plateaus
