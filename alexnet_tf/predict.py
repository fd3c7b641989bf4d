"""Pictures → what they show: one of ImageNet's thousand classes, or of a run's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from alexnet_tf.imagenet import imagenet_classes
from alexnet_tf.images import ImageError, load_batches
from alexnet_tf.quiet import import_tensorflow
from alexnet_tf.run import Run
from alexnet_tf.variants import get_variant
from alexnet_tf.weights import check_weights, read_weights

BATCH = 64
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp")


@dataclass(frozen=True)
class Answer:
    """The likeliest classes of a picture and their probabilities, top first, or an error."""

    file: str
    top: tuple[tuple[str, float], ...] = ()
    error: ImageError | None = None


class Classifier:
    """A network and the names of its outputs. TensorFlow is imported when the first picture asks.

    `open_network` returns a Keras model: inputs of `variant` → probabilities (n, classes).
    """

    def __init__(self, variant: str, classes: Sequence[str], open_network: Callable):
        self.variant, self.classes = variant, tuple(classes)
        self._open_network = open_network

    @classmethod
    def of_imagenet(cls, weights: str | Path, variant: str) -> Classifier:
        """Names the thousand classes of ImageNet. Raises UserError for unusable weights."""
        row, names = get_variant(variant), [names for _, names in imagenet_classes()]
        layers = check_weights(read_weights(weights), row, weights, len(names))

        def open_network():
            from alexnet_tf.model import AlexNet

            return AlexNet(variant, weights=layers)

        return cls(variant, names, open_network)

    @classmethod
    def of_run(cls, run: Run) -> Classifier:
        """Names the classes that the finished run was trained on."""
        config = run.read_config()

        def open_network():
            from alexnet_tf.model import load_model

            return load_model(run.model)

        return cls(config["settings"]["variant"], config["classes"], open_network)

    def classify(self, files: Sequence[str], top: int) -> Iterator[Answer]:
        """An answer for each file, in order, with the `top` likeliest classes."""
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        for names, inputs in zip(batches, load_batches(batches, self.variant)):
            pictures = [picture for picture in inputs if not isinstance(picture, ImageError)]
            rows = iter(self._network.predict_on_batch(np.stack(pictures)) if pictures else ())
            for name, picture in zip(names, inputs):
                if isinstance(picture, ImageError):
                    yield Answer(name, error=picture)
                else:
                    yield Answer(name, self._top(next(rows), top))

    @cached_property
    def _network(self):
        import_tensorflow()
        return self._open_network()

    def _top(self, probabilities: np.ndarray, top: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-probabilities, kind="stable")[:top]
        return tuple((self.classes[index], float(probabilities[index])) for index in best)


def find_pictures(paths: Sequence[str]) -> list[str]:
    """The files among `paths`, and in place of each folder the picture files below it, sorted."""
    found = []
    for path in paths:
        if Path(path).is_dir():
            files = sorted(Path(path).rglob("*"))
            found += [str(file) for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
        else:
            found.append(path)
    return found
