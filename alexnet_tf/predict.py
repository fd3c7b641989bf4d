"""Pictures → what they show: one of ImageNet's thousand classes, or of a run's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from alexnet_tf.imagenet import imagenet_classes
from alexnet_tf.images import ImageError, load_batches
from alexnet_tf.litert import LiteModel, is_current, is_installed, write_litert
from alexnet_tf.quiet import import_tensorflow
from alexnet_tf.run import Run
from alexnet_tf.variants import get_variant
from alexnet_tf.weights import check_weights, read_weights

BATCH = 64
# So many pictures are answered by LiteRT in the time that importing TensorFlow takes.
FEW = 100
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp")


@dataclass(frozen=True)
class Answer:
    """The likeliest classes of a picture and their probabilities, top first, or an error."""

    file: str
    top: tuple[tuple[str, float], ...] = ()
    error: ImageError | None = None


class Classifier:
    """A network and the names of its outputs. It is opened when the first picture asks.

    `open_keras` returns a Keras model: inputs of `variant` → probabilities (n, classes), made from
    the file `source`. `lite` is where the same network is, or should be, as a LiteRT file: it
    answers a few pictures at once, while importing TensorFlow, which answers many faster, takes
    seconds. `resize` and `crops` say what of a picture the network sees, as in `alexnet_tf.images`.
    """

    def __init__(
        self,
        variant: str,
        classes: Sequence[str],
        open_keras: Callable,
        source: Path,
        lite: Path,
        resize: str = "short",
        crops: int = 1,
    ):
        self.variant, self.resize, self.crops = variant, resize, crops
        self.classes = tuple(classes)
        self.lite = lite
        self._open_keras, self._source = open_keras, source

    @classmethod
    def of_imagenet(
        cls, weights: str | Path, variant: str, resize: str = "short", crops: int = 1
    ) -> Classifier:
        """Names the thousand classes of ImageNet. Raises UserError for unusable weights."""
        row, names = get_variant(variant), [names for _, names in imagenet_classes()]
        weights = Path(weights)
        lite = weights.with_name(f"{weights.name}.{variant}.tflite")
        if not is_current(lite, weights):
            layers = check_weights(read_weights(weights), row, weights, len(names))
        else:
            layers = weights  # checked when the LiteRT file was made

        def open_keras():
            from alexnet_tf.model import AlexNet

            return AlexNet(variant, weights=layers)

        return cls(variant, names, open_keras, weights, lite, resize, crops)

    @classmethod
    def of_run(cls, run: Run, crops: int = 1) -> Classifier:
        """Names the classes that the finished run was trained on, from pictures resized as then."""
        config = run.read_config()

        def open_keras():
            from alexnet_tf.model import load_model

            return load_model(run.model)

        variant, resize = config["settings"]["variant"], config["settings"]["resize"]
        return cls(variant, config["classes"], open_keras, run.model, run.lite, resize, crops)

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
        few = len(files) * self.crops <= FEW
        for inputs in load_batches(batches, self.variant, self.resize, self.crops):
            pictures = [crops for crops in inputs if not isinstance(crops, ImageError)]
            rows = iter(self._forward(np.stack(pictures), few) if pictures else ())
            for crops in inputs:
                yield crops if isinstance(crops, ImageError) else next(rows)

    def keep_lite(self) -> None:
        """Write the LiteRT file, if it is missing, there is an interpreter to read it, and
        TensorFlow had to answer. A folder that takes no file does not spoil the answers given."""
        asked_keras = "_keras" in self.__dict__
        if asked_keras and is_installed() and not is_current(self.lite, self._source):
            print(f"keeping {self.lite}, so that the next answer takes a second", file=sys.stderr)
            try:
                write_litert(self._keras, self.lite)
            except OSError as error:
                print(f"it could not be kept: {error}", file=sys.stderr)

    def _forward(self, pictures: np.ndarray, few: bool) -> np.ndarray:
        """(pictures, crops, 227, 227, 3) → (pictures, classes)."""
        network = self._lite if few and is_current(self.lite, self._source) else self._keras
        rows = network.predict_on_batch(pictures.reshape(-1, *pictures.shape[2:]))
        return rows.reshape(*pictures.shape[:2], -1).mean(axis=1)

    @cached_property
    def _lite(self) -> LiteModel:
        return LiteModel(self.lite)

    @cached_property
    def _keras(self):
        import_tensorflow()
        return self._open_keras()

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
