"""Test-time views, and how their predictions are averaged."""

import math

import numpy as np

from alexnet_tf.metrics.calibration import mean_probabilities
from alexnet_tf.variants import Variant


def choose_views(variant: Variant, are_apart: bool, thorough: bool) -> list[int]:
    """Choose the test-time views of a picture: their numbers, flip × windows + window. All of them
    if `thorough`, else the unflipped windows in the corners; a single view unless windows are kept
    apart (`are_apart`)."""
    flips, count = range(1 + variant.mirrored), variant.windows
    windows = list(range(count))
    if not thorough:
        side = math.isqrt(count)
        flips, windows = range(1), sorted({0, side - 1, count - side, count - 1})
    if not are_apart:
        windows = [0]
    return [flip * count + window for flip in flips for window in windows]


def evaluate_views(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Average the views' probabilities and score them: logits (views, n, classes) → cross-entropies
    (n,), whether the most probable class is correct (n,), and the probabilities (n, classes),
    float32."""
    probabilities = mean_probabilities(logits)
    right = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
    hits = probabilities.argmax(axis=1) == labels
    return -np.log(right).astype(np.float32), hits, probabilities.astype(np.float32)


def average_views(outputs: np.ndarray, flips: int, pictures: int) -> np.ndarray:
    """Average the outputs of a network's first part, (flips × pictures × windows, …), over the
    views of each picture: (pictures, …). Mirror images follow all the pictures; the windows of a
    picture are adjacent."""
    return outputs.reshape(flips, pictures, -1, *outputs.shape[1:]).mean(axis=(0, 2))
