"""Pictures that are probably labelled wrongly, found by heads that have not seen their labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.sources.lists import POSSIBLE
from alexnet_tf.metrics.predictions import LabelledPredictions

# In so many parts, each answered by a head that the others have taught.
FOLDS = 5
# scikit-learn's C times the number of values. Of a tenth of it to thrice as much it finds the most
# planted errors, and such heads are right as often as they are sure: docs/report.md.
STRENGTH = 8.0
# A label is suspected where another one is likelier than the second. Above the first three of four
# were planted errors, and between them two of five: docs/report.md.
SURE, LEAST = 0.9, 0.75


@dataclass(frozen=True)
class LabelError:
    """A picture, and the class that it is likelier of than of its own, with what probability."""

    picture: Picture
    suggested: int
    probability: float

    @property
    def grade(self) -> str:
        """How probable the error is: "likely" or "possible"."""
        return "likely" if self.probability >= SURE else POSSIBLE


def out_of_fold_probabilities(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return probabilities (n, classes) of pictures by heads that were taught without them.

    The heads are softmax regressions on `vectors`, float32 (n, values), of deviation 1. Classes are
    0 … `labels.max()`; one with too few pictures for a part of its own may get 0.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    found = np.zeros((len(labels), labels.max() + 1), np.float32)
    strength = STRENGTH / vectors.shape[1]
    parts = min(FOLDS, np.bincount(labels).max())
    folds = StratifiedKFold(parts, shuffle=True, random_state=seed)
    # Small matrices: threads would wait for each other longer than they compute.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer pictures than parts
        for others, part in folds.split(vectors, labels):
            head = LogisticRegression(C=strength, tol=1e-3).fit(vectors[others], labels[others])
            found[np.ix_(part, head.classes_)] = head.predict_proba(vectors[part])
    return found


def find_label_errors(predictions: LabelledPredictions) -> list[LabelError]:
    """List whose labels `answers`, which must not have learned from these, speak against.

    The surest come first.
    """
    pictures, predicted, confidence = (
        predictions.pictures,
        predictions.predicted,
        predictions.confidence,
    )
    return [
        LabelError(pictures[number], int(predicted[number]), float(confidence[number]))
        for number in predictions.mistakes()
        if confidence[number] >= LEAST
    ]


def out_of_fold_predictions(
    classes: Sequence[str], pictures: Sequence[Picture], vectors: np.ndarray
) -> LabelledPredictions:
    """Answer about pictures, from a vector each, by heads that were taught without them."""
    labels = np.array([picture.label for picture in pictures])
    probabilities = np.zeros((len(pictures), len(classes)), np.float32)
    probabilities[:, : labels.max() + 1] = out_of_fold_probabilities(vectors, labels)
    return LabelledPredictions(tuple(classes), tuple(pictures), probabilities)
