"""Accuracy and its interval, precision, recall, the confusion matrix of labelled pictures."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """The predictions of `runs` for labelled pictures, and their metrics; `reports` words them.

    `labels` (pictures,) are the indices of their classes, `predictions` (runs, pictures) those that
    each run predicts, and `averaged` (pictures,) those of the mean of all runs' probabilities.
    `trained_on` says for each run how many of the pictures it was trained on, known by their bytes,
    and `untraced` how many of its training pictures are no longer there to compare with; `failed`
    were unreadable. If `cross_validated`, each picture was predicted by a head that was trained
    without it.
    """

    runs: tuple[str, ...]
    classes: tuple[str, ...]
    labels: np.ndarray
    predictions: np.ndarray
    averaged: np.ndarray
    trained_on: tuple[int, ...]
    failed: tuple[Exception, ...] = ()
    untraced: tuple[int, ...] = ()
    cross_validated: bool = False

    def accuracy(self, predictions: np.ndarray) -> dict[str, Any]:
        """Return the share of correct `predictions`, and its 95% interval (Wilson)."""
        hits, pictures = int((predictions == self.labels).sum()), len(self.labels)
        return {"accuracy": hits / pictures, "interval95": wilson_interval(hits, pictures)}

    def gain(self) -> dict[str, float]:
        """Return by how much averaging is more accurate than the best run, and than their mean."""
        alone = [self.accuracy(predictions)["accuracy"] for predictions in self.predictions]
        together = self.accuracy(self.averaged)["accuracy"]
        return {"over_best": together - max(alone), "over_mean": together - float(np.mean(alone))}

    def by_name(self) -> list[tuple[str, np.ndarray]]:
        """Return the name and the predictions of each run and, of several, of the average."""
        together = [("averaged", self.averaged)] if len(self.runs) > 1 else []
        return [*zip(self.runs, self.predictions), *together]

    def by_class(self, predictions: np.ndarray | None = None) -> list[dict[str, Any]]:
        """Return the pictures, precision, recall and F1 of each class, None where there is none,
        for `predictions` (pictures,) or, here and below, the averaged ones."""
        from sklearn.metrics import precision_recall_fscore_support  # takes a second to import

        predictions = self.averaged if predictions is None else predictions
        *shares, pictures = precision_recall_fscore_support(
            self.labels, predictions, labels=range(len(self.classes)), zero_division=np.nan
        )
        found = np.where(np.isnan(shares), np.array(None), shares).T.tolist()
        return [
            {
                "class": name,
                "pictures": int(count),
                "precision": precision,
                "recall": recall,
                "f1": f1,
            }
            for name, count, (precision, recall, f1) in zip(self.classes, pictures, found)
        ]

    def confusion(self, predictions: np.ndarray | None = None) -> np.ndarray:
        """Count pictures by label (rows) and prediction (columns): int (classes, classes)."""
        from sklearn.metrics import confusion_matrix

        predictions = self.averaged if predictions is None else predictions
        return confusion_matrix(self.labels, predictions, labels=range(len(self.classes)))

    def frequent_confusions(
        self, most: int, predictions: np.ndarray | None = None
    ) -> list[tuple[str, str, int]]:
        """List the `most` frequent (label, prediction, pictures), top first."""
        matrix = self.confusion(predictions)
        np.fill_diagonal(matrix, 0)
        places = np.argsort(-matrix, axis=None, kind="stable")[:most]
        return [
            (self.classes[label], self.classes[prediction], int(matrix[label, prediction]))
            for label, prediction in (divmod(place, len(matrix)) for place in places)
            if matrix[label, prediction]
        ]


def wilson_interval(hits: float, total: int) -> tuple[float, float]:
    """Return the 95% interval of a share of which `hits` in `total` were seen (Wilson 1927)."""
    z = 1.959964  # the normal distribution's quantile of 0.975
    centre = (hits + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(hits * (total - hits) / total + z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
