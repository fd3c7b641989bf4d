"""Whether answers are right as often as they are sure: reliability, ROC and precision-recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alexnet_tf.metrics.calibration import BINS, calibration_error
from alexnet_tf.metrics.predictions import LabelledPredictions


@dataclass(frozen=True)
class Reliability:
    """Answers by how sure they are: of each bin the pictures, and their mean sureness and accuracy.

    Bins without pictures have NaN. `error` is the expected calibration error (Guo 2017, equation
    3): the mean distance of sureness and accuracy over all pictures.
    """

    pictures: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


@dataclass(frozen=True)
class Curves:
    """How well the second of two classes is told from the first, over all thresholds.

    ROC: `false_alarms` and `found`, with its `area`; precision-recall: `precision` and `recall`,
    with the `average_precision`. `share` is that of the second class.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    auc: float
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float
    share: float


def reliability(predictions: LabelledPredictions) -> Reliability:
    """Put the answers into bins by their sureness."""
    right = predictions.predicted == predictions.labels
    bins = np.minimum((predictions.confidence * BINS).astype(int), BINS - 1)
    pictures = np.bincount(bins, minlength=BINS)
    confidence, accuracy = (
        np.divide(
            np.bincount(bins, values, BINS), pictures, np.full(BINS, np.nan), where=pictures > 0
        )
        for values in (predictions.confidence, right)
    )
    error = calibration_error(predictions.probabilities, predictions.labels)
    return Reliability(pictures, confidence, accuracy, error)


def curves(predictions: LabelledPredictions) -> Curves | None:
    """Return the curves of two classes; None for more, or where only one has pictures."""
    if len(predictions.classes) != 2 or len({*predictions.labels}) != 2:
        return None
    from sklearn import metrics

    labels, scores = predictions.labels, predictions.probabilities[:, 1]
    false_positive_rate, true_positive_rate, _ = metrics.roc_curve(labels, scores)
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return Curves(
        false_positive_rate,
        true_positive_rate,
        float(metrics.roc_auc_score(labels, scores)),
        precision,
        recall,
        float(metrics.average_precision_score(labels, scores)),
        float(labels.mean()),
    )
