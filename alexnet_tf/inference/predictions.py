"""What a finished network takes labelled pictures for, and which of its answers to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.preprocessing import ImageError
from alexnet_tf.evaluation.evaluate import Evaluation
from alexnet_tf.inference.cached import cached_predictions
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.system.progress import progress


@dataclass(frozen=True)
class LabelledPredictions:
    """The `probabilities`, float32 (pictures, classes), that a network gave `pictures`."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    probabilities: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """The classes that the pictures are labelled with, int64 (pictures,)."""
        return np.array([picture.label for picture in self.pictures], np.int64)

    @cached_property
    def predicted(self) -> np.ndarray:
        """The classes that they are taken for, int64 (pictures,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probabilities of `guesses`, float32 (pictures,)."""
        return self.probabilities.max(axis=1)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What they come to, by class and all together."""
        nobody = np.empty((0, len(self.pictures)), np.int64)
        return Evaluation((), self.classes, self.labels, nobody, self.predicted, ())

    def accuracy(self) -> dict[str, Any]:
        """Return the share that is right, and its 95% interval for all such pictures."""
        return self.evaluation.accuracy(self.predicted)

    def mistakes(self) -> np.ndarray:
        """Return the numbers of the pictures that are taken for others, the surest first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def least_confident(self) -> np.ndarray:
        """Return the numbers of all pictures, those first whose two likeliest classes are close."""
        two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return np.argsort(two[:, 1] - two[:, 0], kind="stable")

    def cell(self, label: int, guess: int) -> np.ndarray:
        """Return the numbers of the pictures of one class taken for one, the surest first."""
        found = np.flatnonzero((self.labels == label) & (self.predicted == guess))
        return found[np.argsort(-self.confidence[found], kind="stable")]


def predict_pictures(
    engine: Engine, model, store: FeatureStore | None, pictures: Sequence[Picture]
) -> tuple[LabelledPredictions, int]:
    """Ask a network about `pictures`; return the answers, and how many could not be read.

    The Keras `model` answers from an open `store` that has them all, which takes no photo; without
    one the `engine` answers from the photos.
    """
    pictures = tuple(pictures)
    if store and pictures and not store.missing(pictures):
        return LabelledPredictions(
            engine.classes, pictures, cached_predictions(model, store, pictures)
        ), 0
    found = Classifier([engine]).probabilities([picture.path for picture in pictures])
    asked = list(zip(pictures, progress(found, len(pictures), "asking")))
    read = [
        (each, probabilities_[0])
        for each, probabilities_ in asked
        if not isinstance(probabilities_, ImageError)
    ]
    probabilities = np.array([probabilities_ for _, probabilities_ in read], np.float32)
    predictions = LabelledPredictions(
        engine.classes,
        tuple(picture for picture, _ in read),
        probabilities.reshape(len(read), len(engine.classes)),
    )
    return predictions, len(asked) - len(read)
