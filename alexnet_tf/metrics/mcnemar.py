"""McNemar's test: is one run better than another on the same pictures? (McNemar 1947)"""

import math
from dataclasses import dataclass

from alexnet_tf.metrics.predictions import LabelledPredictions


@dataclass(frozen=True)
class McNemar:
    """Two runs on the same `pictures`: how many only the `first`, and only the `second`, predicts
    correctly."""

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
    """Compare the predictions of two runs for the pictures that both have, by their digests and the
    names of their classes."""
    one, other = _hits(first), _hits(second)
    decided = [one[key] - other[key] for key in one.keys() & other.keys()]
    return McNemar(len(decided), decided.count(1), decided.count(-1))


def _hits(predictions: LabelledPredictions) -> dict[tuple[str, str], int]:
    """Map (digest, class name) to 1 if the prediction is correct, else 0."""
    hits = predictions.predicted == predictions.labels
    keys = ((each.digest, predictions.classes[each.label]) for each in predictions.pictures)
    return dict(zip(keys, hits.astype(int).tolist()))
