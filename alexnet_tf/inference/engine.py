"""A trained network in its files, and the ways to ask it: a few pictures at once, or many fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.exports.litert import LiteModel, is_current, is_installed, write_litert
from alexnet_tf.runs.run import Run
from alexnet_tf.system.processor import native_precision
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.loading import check_weights, read_weights

# The most inputs that a network is asked about at once.
BATCH = 64
# Up to as many inputs in all, LiteRT has answered sooner than TensorFlow, whose import takes
# seconds, but which then is faster.
MOST_FOR_LITE = 2000
# Without LiteRT: up to as many, a Keras model has answered before it is made fast.
MOST_AS_IT_IS = 250


class Network:
    """A network and the names of its outputs. It is opened when the first picture asks.

    `open_keras` returns a Keras model: inputs of `variant` → probabilities (n, classes), made from
    the file `source`. `lite` is where the same network is, or should be, as a LiteRT file: it
    answers at once, while importing TensorFlow, which answers thousands faster, takes seconds.
    `resize` says what of a picture the network sees, as in `alexnet_tf.data.images`.
    """

    def __init__(
        self,
        variant: str,
        classes: Sequence[str],
        open_keras: Callable,
        source: Path,
        lite: Path,
        resize: str = "short",
    ):
        self.variant, self.resize = variant, resize
        self.classes = tuple(classes)
        self.source, self.lite = source, lite
        self.open_keras = open_keras

    @classmethod
    def of_imagenet(cls, weights: str | Path, variant: str, resize: str = "short") -> Network:
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

        return cls(variant, names, open_keras, weights, lite, resize)

    @classmethod
    def of_run(cls, run: Run) -> Network:
        """Names the classes that the finished run was trained on, from pictures resized as then."""
        config = run.read_config()
        variant, resize = config["settings"]["variant"], config["settings"]["resize"]
        classes = config["classes"]

        def open_keras():
            from alexnet_tf.model import AlexNet, load_model

            if run.model.suffix == ".keras":
                return load_model(run.model)
            return AlexNet(variant, len(classes), run.model)  # the starter's weights

        return cls(variant, classes, open_keras, run.model, run.lite, resize)

    def probabilities(self, inputs: np.ndarray, among: int) -> np.ndarray:
        """Inputs float32 (n, 227, 227, 3), n at most `BATCH` → probabilities float32 (n, classes).

        `among` so many will be asked for in all: up to `MOST_FOR_LITE` are answered in float32 by
        LiteRT, where it can; more by `FastModel`.
        """
        if among <= MOST_FOR_LITE and is_current(self.lite, self.source):
            model = self._lite_model
        elif among <= MOST_AS_IT_IS:
            model = self._keras_model
        else:
            model = self._fast_model
        return model.predict_on_batch(inputs)

    def keep_lite(self) -> None:
        """Write the LiteRT file, if it is missing, there is an interpreter to read it, and
        TensorFlow had to answer. A folder that takes no file does not spoil the answers given."""
        asked_keras = "_keras_model" in self.__dict__
        if asked_keras and is_installed() and not is_current(self.lite, self.source):
            print(f"keeping {self.lite}, so that the next answer takes a second", file=sys.stderr)
            try:
                write_litert(self._keras_model, self.lite)
            except OSError as error:
                print(f"it could not be kept: {error}", file=sys.stderr)

    @cached_property
    def _lite_model(self) -> LiteModel:
        return LiteModel(self.lite)

    @cached_property
    def _keras_model(self):
        import_tensorflow()
        return self.open_keras()

    @cached_property
    def _fast_model(self):
        model = self._keras_model  # before the next line, for it imports TensorFlow quietly
        from alexnet_tf.inference.fast import FastModel

        return FastModel(model, native_precision(), BATCH)
