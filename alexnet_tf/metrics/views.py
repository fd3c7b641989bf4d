"""Which looks at a picture an answer is the mean of, and what they come to."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from alexnet_tf.metrics.calibration import mean_probabilities
from alexnet_tf.variants import Variant


def choose_views(variant: Variant, are_apart: bool, thorough: bool) -> list[int]:
    """Return the numbers of the looks at a picture that an answer is the mean of.

    Where windows are not told apart, one look has all of them.
    """
    views, windows, count = range(1 + variant.mirrored), range(variant.windows), variant.windows
    if not thorough:
        side = math.isqrt(count)
        views, windows = range(1), sorted({0, side - 1, count - side, count - 1})
    if not are_apart:
        windows = range(1)
    return [view * count + window for view in views for window in windows]


def evaluate_views(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return cross-entropies (n,), whether the likeliest class is right (n,), and probabilities
    (n, classes), of logits (looks, n, classes)."""
    probabilities = mean_probabilities(logits)
    if len(logits) == 1:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits[0]).numpy()
        return losses, logits[0].argmax(axis=1) == labels, probabilities.astype(np.float32)
    right = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
    hits = probabilities.argmax(axis=1) == labels
    return -np.log(right).astype(np.float32), hits, probabilities.astype(np.float32)
