"""Reliability diagrams, ROC and precision-recall curves."""

from dataclasses import dataclass

import numpy as np

from alexnet_tf.metrics.calibration import BINS, calibration_error
from alexnet_tf.metrics.predictions import LabelledPredictions


@dataclass(frozen=True)
class Reliability:
    """Predictions in bins of confidence: the pictures, mean confidence and accuracy of each bin,
    NaN where it is empty. `error` is the expected calibration error (Guo 2017, equation 3)."""

    pictures: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


@dataclass(frozen=True)
class Curves:
    """The ROC and precision-recall curves of two classes, of which the second is positive; `share`
    is that of positive pictures, the precision of a random classifier."""

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    auc: float
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float
    share: float


def reliability(predictions: LabelledPredictions) -> Reliability:
    """Bin the predictions by confidence."""
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
    """Compute the curves of two classes; None if there are more, or if only one has pictures."""
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
