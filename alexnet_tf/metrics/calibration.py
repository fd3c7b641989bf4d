"""Log loss, calibration error, and temperature scaling."""

import numpy as np

# Guo 2017, section 3: the number of bins of confidence.
BINS = 15
# Bounds of the temperature's logarithm: 1/20 to 20.
LEAST, MOST = -3.0, 3.0
# Their deviation before any picture is seen: heads of this program came to 1.0 to 1.3.
USUAL = 0.5
TINY = np.finfo(np.float64).tiny


def mean_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Average probabilities: logits (views, pictures, classes) → float64 (pictures, classes)."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).mean(axis=0)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean negative log of the true class's probability, (pictures, classes)."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, TINY)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the expected calibration error (Guo 2017, equation 3) of probabilities (pictures,
    classes): 0 is perfect, 1 the worst."""
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, hits - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that minimizes the log loss of logits (views, pictures, classes) / T.

    Guo 2017, section 4.2, applied to the mean over the views: the predicted class hardly ever
    changes, its confidence does. A prior keeps T near 1 for few pictures, because a network
    without a mistake among them would otherwise get a confidence of 1 everywhere.
    """
    from scipy.optimize import minimize_scalar  # takes a third of a second to import

    def loss(logarithm: float) -> float:
        probabilities = mean_probabilities(logits, np.exp(logarithm))
        return len(labels) * log_loss(probabilities, labels) + (logarithm / USUAL) ** 2 / 2

    return float(np.exp(minimize_scalar(loss, bounds=(LEAST, MOST), method="bounded").x))
