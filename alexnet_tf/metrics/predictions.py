"""Predictions for labelled pictures: the mistakes, the most and the least confident."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from alexnet_tf.metrics.evaluation import Evaluation


class Labelled(Protocol):
    """A picture, as far as metrics know it: the index of its class, its path and its digest."""

    @property
    def label(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True)
class LabelledPredictions:
    """A network's `probabilities`, float32 (pictures, classes), for labelled `pictures`, and their
    `novelty` (pictures,), NaN where it is unknown; (0,) if it is for all."""

    classes: tuple[str, ...]
    pictures: Sequence[Labelled]
    probabilities: np.ndarray
    novelty: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @cached_property
    def labels(self) -> np.ndarray:
        """The true classes, int64 (pictures,)."""
        return np.array([picture.label for picture in self.pictures], np.int64)

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable classes, int64 (pictures,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probabilities of `predicted`, float32 (pictures,)."""
        return self.probabilities.max(axis=1)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The metrics, by class and overall."""
        runs = np.empty((0, len(self.pictures)), np.int64)
        return Evaluation((), self.classes, self.labels, runs, self.predicted, ())

    def accuracy(self) -> dict[str, Any]:
        """Return the accuracy and its 95% interval."""
        return self.evaluation.accuracy(self.predicted)

    def mistakes(self) -> np.ndarray:
        """Return the numbers of misclassified pictures, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def correct(self, most: int) -> np.ndarray:
        """Return the numbers of `most` correct predictions, spread over all of them."""
        numbers = np.flatnonzero(self.predicted == self.labels)
        return numbers[:: -(-len(numbers) // most) or 1]

    def least_confident(self) -> np.ndarray:
        """Return the numbers of all pictures, the smallest margin between two classes first."""
        two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return np.argsort(two[:, 1] - two[:, 0], kind="stable")

    def most_novel(self) -> np.ndarray:
        """Return the numbers of the pictures whose novelty is known, the highest first."""
        order = np.argsort(-self.novelty, kind="stable")
        return order[: np.isfinite(self.novelty).sum()]

    def cell(self, label: int, guess: int) -> np.ndarray:
        """Return the pictures of a cell of the confusion matrix, the most confident first."""
        found = np.flatnonzero((self.labels == label) & (self.predicted == guess))
        return found[np.argsort(-self.confidence[found], kind="stable")]
