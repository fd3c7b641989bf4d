"""Whether answers are right as often as they say, and the one number that makes them so."""

from __future__ import annotations

import numpy as np

# Guo 2017, section 3: answers are put into so many bins by how sure they are.
BINS = 15
# The logarithms of the temperatures that are tried: from 1/20 to 20.
LEAST, MOST = -3.0, 3.0
# Their deviation before any picture is seen: heads of this program came to 1.0 to 1.3.
USUAL = 0.5
TINY = np.finfo(np.float64).tiny


def mean_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probabilities (pictures, classes) of logits (looks, pictures, classes).

    They are the means over all looks at a picture; float64.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).mean(axis=0)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of −ln of the probabilities (pictures, classes) of what is right."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, TINY)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return by how much the sureness of answers differs from how often they are right.

    This is the expected calibration error of Guo 2017, equation 3, of probabilities (pictures,
    classes): 0 is perfect.
    """
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, hits - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return what logits (looks, pictures, classes) have to be divided by for the lowest loss.

    Guo 2017, section 4.2, but for the mean over the looks: which answer is the likeliest hardly
    ever changes, how sure it is does. A few pictures move it but a little from 1, or a network that
    is right about all of them would be made sure of everything.
    """
    from scipy.optimize import minimize_scalar  # takes a third of a second to import

    def loss(logarithm: float) -> float:
        probabilities = mean_probabilities(logits, np.exp(logarithm))
        return len(labels) * log_loss(probabilities, labels) + (logarithm / USUAL) ** 2 / 2

    return float(np.exp(minimize_scalar(loss, bounds=(LEAST, MOST), method="bounded").x))
