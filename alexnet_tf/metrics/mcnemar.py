"""McNemar's test: is one run better than another on the same pictures? (McNemar 1947)"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alexnet_tf.metrics.predictions import LabelledPredictions


@dataclass(frozen=True)
class McNemar:
    """Two runs on the same `pictures`: how many only the `first` predicts correctly, and how many
    only the `second`."""

    pictures: int
    first: int
    second: int

    def difference(self) -> float:
        """Return the accuracy of the first minus that of the second."""
        return (self.first - self.second) / self.pictures

    def interval(self) -> tuple[float, float]:
        """Return the 95% interval of the difference (Agresti and Min 2005, section 3)."""
        first, second, pictures = self.first + 0.5, self.second + 0.5, self.pictures + 2
        centre = (first - second) / pictures
        variance = (first + second - (first - second) ** 2 / pictures) / pictures**2
        half = 1.959964 * math.sqrt(variance)
        return max(-1.0, centre - half), min(1.0, centre + half)

    def p_value(self) -> float:
        """Return the p-value of the exact test."""
        from scipy.stats import binomtest

        decided = self.first + self.second
        return float(binomtest(self.first, decided).pvalue) if decided else 1.0


def mcnemar(first: LabelledPredictions, second: LabelledPredictions) -> McNemar:
    """Compare the predictions of two runs for the pictures that both have.

    Pictures are matched by their digests, classes by their names.
    """
    one, other = _right(first), _right(second)
    same = sorted(one.keys() & other.keys())
    hits = np.array([(one[key], other[key]) for key in same], bool).reshape(-1, 2)
    return McNemar(
        len(same), int((hits[:, 0] & ~hits[:, 1]).sum()), int((hits[:, 1] & ~hits[:, 0]).sum())
    )


def _right(predictions: LabelledPredictions) -> dict[tuple[str, str], bool]:
    """Map (digest, class name) to whether the prediction is correct."""
    right = predictions.predicted == predictions.labels
    return {
        (picture.digest, predictions.classes[picture.label]): bool(hit)
        for picture, hit in zip(predictions.pictures, right)
    }
