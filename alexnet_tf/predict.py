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

    `open_network` returns a Keras model: inputs of `variant` → probabilities (n, classes). `resize`
    and `crops` say what of a picture it sees, as in `alexnet_tf.images`.
    """

    def __init__(
        self,
        variant: str,
        classes: Sequence[str],
        open_network: Callable,
        resize: str = "short",
        crops: int = 1,
    ):
        self.variant, self.resize, self.crops = variant, resize, crops
        self.classes = tuple(classes)
        self._open_network = open_network

    @classmethod
    def of_imagenet(
        cls, weights: str | Path, variant: str, resize: str = "short", crops: int = 1
    ) -> Classifier:
        """Names the thousand classes of ImageNet. Raises UserError for unusable weights."""
        row, names = get_variant(variant), [names for _, names in imagenet_classes()]
        layers = check_weights(read_weights(weights), row, weights, len(names))

        def open_network():
            from alexnet_tf.model import AlexNet

            return AlexNet(variant, weights=layers)

        return cls(variant, names, open_network, resize, crops)

    @classmethod
    def of_run(cls, run: Run, crops: int = 1) -> Classifier:
        """Names the classes that the finished run was trained on, from pictures resized as then."""
        config = run.read_config()

        def open_network():
            from alexnet_tf.model import load_model

            return load_model(run.model)

        settings = config["settings"]
        return cls(settings["variant"], config["classes"], open_network, settings["resize"], crops)

    def classify(self, files: Sequence[str], top: int) -> Iterator[Answer]:
        """An answer for each file, in order, with the `top` likeliest classes."""
        for file, result in zip(files, self.probabilities(files)):
            if isinstance(result, ImageError):
                yield Answer(file, error=result)
            else:
                yield Answer(file, self._top(result, top))

    def probabilities(self, files: Sequence[str]) -> Iterator[np.ndarray | ImageError]:
        """For each file, in order, the mean over its crops of (classes,), or why there is none."""
        size = BATCH // self.crops
        batches = [files[start : start + size] for start in range(0, len(files), size)]
        for inputs in load_batches(batches, self.variant, self.resize, self.crops):
            pictures = [crops for crops in inputs if not isinstance(crops, ImageError)]
            rows = iter(self._forward(np.stack(pictures)) if pictures else ())
            for crops in inputs:
                yield crops if isinstance(crops, ImageError) else next(rows)

    def _forward(self, pictures: np.ndarray) -> np.ndarray:
        """(pictures, crops, 227, 227, 3) → (pictures, classes)."""
        rows = self._network.predict_on_batch(pictures.reshape(-1, *pictures.shape[2:]))
        return rows.reshape(*pictures.shape[:2], -1).mean(axis=1)

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
