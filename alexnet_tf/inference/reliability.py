"""Whether answers are right as often as they are sure: reliability, ROC and precision-recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alexnet_tf.inference.answers import Answers
from alexnet_tf.runs.calibration import BINS, calibration_error


@dataclass(frozen=True)
class Reliability:
    """Answers by how sure they are: of each bin the pictures, and their mean sureness and accuracy.

    Bins without pictures have NaN. `error` is the expected calibration error (Guo 2017, equation
    3): the mean distance of sureness and accuracy over all pictures.
    """

    pictures: np.ndarray
    sureness: np.ndarray
    accuracy: np.ndarray
    error: float


@dataclass(frozen=True)
class Curves:
    """How well the second of two classes is told from the first, over all thresholds.

    ROC: `false_alarms` and `found`, with its `area`; precision-recall: `precision` and `recall`,
    with the `average_precision`. `share` is that of the second class.
    """

    false_alarms: np.ndarray
    found: np.ndarray
    area: float
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float
    share: float


def reliability(answers: Answers) -> Reliability:
    """Put the answers into bins by their sureness."""
    right = answers.guesses == answers.labels
    bins = np.minimum((answers.sureness * BINS).astype(int), BINS - 1)
    pictures = np.bincount(bins, minlength=BINS)
    sureness, accuracy = (
        np.divide(
            np.bincount(bins, values, BINS), pictures, np.full(BINS, np.nan), where=pictures > 0
        )
        for values in (answers.sureness, right)
    )
    error = calibration_error(answers.probabilities, answers.labels)
    return Reliability(pictures, sureness, accuracy, error)


def curves(answers: Answers) -> Curves | None:
    """Return the curves of two classes; None for more, or where only one has pictures."""
    if len(answers.classes) != 2 or len({*answers.labels}) != 2:
        return None
    from sklearn import metrics

    labels, scores = answers.labels, answers.probabilities[:, 1]
    false_alarms, found, _ = metrics.roc_curve(labels, scores)
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return Curves(
        false_alarms,
        found,
        float(metrics.roc_auc_score(labels, scores)),
        precision,
        recall,
        float(metrics.average_precision_score(labels, scores)),
        float(labels.mean()),
    )
