"""What a network answers about the validation pictures, and pages of those worth a look."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from PIL import Image

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.images.preprocessing import ImageError, load_batches, preprocess_input
from alexnet_tf.gradcam import grad_cam, overlay
from alexnet_tf.training.tensorboard.pictures import Captioned, sheet, thumbnails
from alexnet_tf.variants import Variant

# Pixels: the side of a picture on a page, and where another is beside it.
SIDE, BESIDE = 108, 82


@dataclass(frozen=True)
class Answers:
    """The `probabilities` of each class, float32 (n, classes), for n labelled `pictures`."""

    probabilities: np.ndarray
    pictures: Sequence[Picture]
    names: Sequence[str]

    @cached_property
    def labels(self) -> np.ndarray:
        """The numbers of the true classes, int64 (n,)."""
        return np.array([picture.label for picture in self.pictures], np.int64)

    @cached_property
    def predicted(self) -> np.ndarray:
        """The numbers of the likeliest classes, int64 (n,)."""
        return self.probabilities.argmax(axis=1)

    def confusion(self) -> np.ndarray:
        """Count the pictures of each true class by what was answered, int64 (classes, classes)."""
        classes = len(self.names)
        cells = np.bincount(classes * self.labels + self.predicted, minlength=classes**2)
        return cells.reshape(classes, classes)

    def mistakes(self, most: int) -> np.ndarray:
        """Choose those answered wrong with the highest probabilities; return their numbers."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        sure = self.probabilities[wrong, self.predicted[wrong]]
        return wrong[np.argsort(-sure, kind="stable")[:most]]

    def right(self, most: int) -> np.ndarray:
        """Choose some of those answered right, spread over all; return their numbers."""
        numbers = np.flatnonzero(self.predicted == self.labels)
        return numbers[:: -(-len(numbers) // most) or 1]

    def page(self, numbers: Sequence[int]) -> Image.Image:
        """Lay out the pictures of these numbers, with what was answered and their files' names."""
        loaded = thumbnails([self.pictures[number].path for number in numbers], SIDE)
        return sheet([Captioned(*each) for each in zip(loaded, map(self._caption, numbers))], SIDE)

    def explained(
        self, numbers: Sequence[int], network: keras.Model, variant: Variant, resize: str
    ) -> Image.Image:
        """Lay out the same as the network sees them, beside each where it sees what it answered."""
        paths = [self.pictures[number].path for number in numbers]
        (loaded,) = load_batches([paths], variant, resize, preprocess=False)
        read = [place for place, each in enumerate(loaded) if not isinstance(each, ImageError)]
        if not read:
            return sheet([], SIDE)
        numbers, seen = np.array(numbers)[read], np.concatenate([loaded[place] for place in read])
        heat = grad_cam(network, preprocess_input(seen, variant), self.predicted[numbers])
        cells = [
            Captioned(_side_by_side(picture, overlay(picture, each)), self._caption(number))
            for picture, each, number in zip(seen, heat, numbers)
        ]
        return sheet(cells, 2 * BESIDE)

    def _caption(self, number: int) -> tuple[str, str]:
        prediction, label = self.predicted[number], self.labels[number]
        said = f"{self.names[prediction]} {self.probabilities[number, prediction]:.0%}"
        truth = "" if prediction == label else f", is {self.names[label]}"
        return said + truth, os.path.basename(self.pictures[number].path)


def _side_by_side(*pictures: np.ndarray) -> Image.Image:
    """Join pictures of one size, uint8 RGB, from left to right, each `BESIDE` pixels wide."""
    size = (BESIDE * len(pictures), BESIDE)
    return Image.fromarray(np.hstack(pictures)).resize(size, Image.Resampling.BILINEAR)
