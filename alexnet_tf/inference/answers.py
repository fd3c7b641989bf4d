"""What a finished network takes labelled pictures for, and which of its answers to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features import FeatureStore
from alexnet_tf.data.images import ImageError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.evaluate import Evaluation
from alexnet_tf.inference.stored import stored_answers
from alexnet_tf.system.progress import progress


@dataclass(frozen=True)
class Answers:
    """The `probabilities`, float32 (pictures, classes), that a network gave `pictures`."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    probabilities: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """The classes that the pictures are labelled with, int64 (pictures,)."""
        return np.array([picture.label for picture in self.pictures], np.int64)

    @cached_property
    def guesses(self) -> np.ndarray:
        """The classes that they are taken for, int64 (pictures,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def sureness(self) -> np.ndarray:
        """The probabilities of `guesses`, float32 (pictures,)."""
        return self.probabilities.max(axis=1)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What they come to, by class and all together."""
        nobody = np.empty((0, len(self.pictures)), np.int64)
        return Evaluation((), self.classes, self.labels, nobody, self.guesses, ())

    def accuracy(self) -> dict[str, Any]:
        """Return the share that is right, and its 95% interval for all such pictures."""
        return self.evaluation.accuracy(self.guesses)

    def mistakes(self) -> np.ndarray:
        """Return the numbers of the pictures that are taken for others, the surest first."""
        wrong = np.flatnonzero(self.guesses != self.labels)
        return wrong[np.argsort(-self.sureness[wrong], kind="stable")]

    def least_sure(self) -> np.ndarray:
        """Return the numbers of all pictures, those first whose two likeliest classes are close."""
        two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return np.argsort(two[:, 1] - two[:, 0], kind="stable")

    def cell(self, label: int, guess: int) -> np.ndarray:
        """Return the numbers of the pictures of one class taken for one, the surest first."""
        found = np.flatnonzero((self.labels == label) & (self.guesses == guess))
        return found[np.argsort(-self.sureness[found], kind="stable")]


def ask(
    engine: Engine, model, store: FeatureStore | None, pictures: Sequence[Picture]
) -> tuple[Answers, int]:
    """Ask a network about `pictures`; return the answers, and how many could not be read.

    The Keras `model` answers from an open `store` that has them all, which takes no photo; without
    one the `engine` answers from the photos.
    """
    pictures = tuple(pictures)
    if store and pictures and not store.missing(pictures):
        return Answers(engine.classes, pictures, stored_answers(model, store, pictures)), 0
    found = Classifier([engine]).probabilities([picture.path for picture in pictures])
    asked = list(zip(pictures, progress(found, len(pictures), "asking")))
    read = [(each, answer[0]) for each, answer in asked if not isinstance(answer, ImageError)]
    probabilities = np.array([answer for _, answer in read], np.float32)
    answers = Answers(
        engine.classes,
        tuple(picture for picture, _ in read),
        probabilities.reshape(len(read), len(engine.classes)),
    )
    return answers, len(asked) - len(read)
