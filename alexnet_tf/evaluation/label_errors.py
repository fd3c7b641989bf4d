"""Probable label errors, found by out-of-fold predictions."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.sources.lists import POSSIBLE
from alexnet_tf.metrics.predictions import LabelledPredictions

# Folds of the cross-validation.
FOLDS = 5
# scikit-learn's C times the number of values. From a tenth to three times this value, the most
# planted errors are found and the heads are calibrated: docs/report.md.
STRENGTH = 8.0
# Probabilities of another class from which a label error is likely, and possible. Of the labels
# reported, three of four above the first were planted errors, and two of five between:
# docs/report.md.
LIKELY, POSSIBLE_FROM = 0.9, 0.75


@dataclass(frozen=True)
class LabelError:
    """A picture, its likeliest class, which is not its label, and that class's probability."""

    picture: Picture
    suggested: int
    probability: float

    @property
    def grade(self) -> str:
        """The grade of the error: "likely" or "possible"."""
        return "likely" if self.probability >= LIKELY else POSSIBLE


def out_of_fold_predictions(
    classes: Sequence[str], pictures: Sequence[Picture], vectors: np.ndarray
) -> LabelledPredictions:
    """Predict each picture from its vector, by a head that was trained without it.

    The heads are softmax regressions on `vectors`, float32 (n, values), with standard deviation 1.
    The probability of a class that is missing in a fold's training part is 0.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    labels = np.array([picture.label for picture in pictures])
    found = np.zeros((len(labels), len(classes)), np.float32)
    strength = STRENGTH / vectors.shape[1]
    parts = min(FOLDS, np.bincount(labels).max())
    folds = StratifiedKFold(parts, shuffle=True, random_state=0)
    # One thread: for matrices this small, threads cost more time than they save.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes with fewer pictures than folds
        for others, part in folds.split(vectors, labels):
            head = LogisticRegression(C=strength, tol=1e-3).fit(vectors[others], labels[others])
            found[np.ix_(part, head.classes_)] = head.predict_proba(vectors[part])
    return LabelledPredictions(tuple(classes), tuple(pictures), found)


def find_label_errors(predictions: LabelledPredictions) -> list[LabelError]:
    """List label errors, the most confident first, by predictions not trained on the labels."""
    predicted, confidence = predictions.predicted, predictions.confidence
    return [
        LabelError(predictions.pictures[number], int(predicted[number]), float(confidence[number]))
        for number in predictions.mistakes()
        if confidence[number] >= POSSIBLE_FROM
    ]
