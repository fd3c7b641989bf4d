"""A finished network and who answers for it: LiteRT at once, or TensorFlow many pictures fast."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.exports import litert
from alexnet_tf.runs.run import Run
from alexnet_tf.system.processor import native_precision
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import get_variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import find_weights, open_weights

# The most inputs that a network is asked about at once.
BATCH = 64
# Up to as many inputs in all, LiteRT has answered sooner than TensorFlow, whose import takes
# seconds, but which then is faster.
MOST_FOR_LITE = 2000
# Without LiteRT: up to as many, a Keras model has answered before it is made fast.
MOST_AS_IT_IS = 250


class Engine:
    """A finished network, which is opened when the first picture asks.

    `variant` and `resize` say what it wants of a picture, as in `alexnet_tf.data.images`, and
    `classes` name its outputs, in their order. It was read from the file `source`; `litert_path` is
    where the same network is, or should be, as a LiteRT file: that answers at once, while importing
    TensorFlow, which answers thousands faster, takes seconds.
    """

    def __init__(
        self,
        variant: str,
        resize: str,
        classes: Sequence[str],
        source: Path,
        litert_path: Path,
        weights: Weights | Path | None = None,
    ):
        """Take `weights`, or a file of them, for a new AlexNet; without, `source` is a model."""
        self.variant, self.resize, self.classes = variant, resize, tuple(classes)
        self.source, self.litert_path = source, litert_path
        self._weights = weights
        self._asked_keras = False

    @classmethod
    def of_imagenet(
        cls,
        weights: str | Path,
        variant: str,
        resize: str = "short",
        classes: Sequence[str] | None = None,
    ) -> Engine:
        """Open pretrained weights, which know `classes`: ImageNet's thousand, unless told others.

        Raises BadFile for unusable ones; those that a LiteRT file was made from were checked then.
        """
        path = find_weights(weights)
        number = f".{len(classes)}" if classes else ""  # so that a file of others is not taken
        litert_path = path.with_name(f"{path.name}.{variant}{number}.tflite")
        classes = classes or [names for _, names in imagenet_classes()]
        checked = path
        if not litert.is_current(litert_path, path):
            checked = open_weights(path, get_variant(variant), len(classes))
        return cls(variant, resize, classes, path, litert_path, checked)

    @classmethod
    def of_run(cls, run: Run) -> Engine:
        """Open a finished run, which knows its own classes, in pictures resized as they were then.

        Raises UserError when its config.json is unreadable.
        """
        config = run.read_config()
        return cls(
            config["settings"]["variant"],
            config["settings"]["resize"],
            config["classes"],
            run.model_path,
            run.litert_path,
            # The starter has weights in place of a model.
            None if run.model_path.suffix == ".keras" else run.model_path,
        )

    def probabilities(self, inputs: np.ndarray, among: int) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), for inputs float32 (n, 227, 227, 3).

        n is at most `BATCH`, and `among` says how many will be asked for in all: up to
        `MOST_FOR_LITE` are answered in float32 by LiteRT, where it can; more by `FastModel`.
        """
        if among <= MOST_FOR_LITE and litert.is_current(self.litert_path, self.source):
            model = self._lite_model
        elif among <= MOST_AS_IT_IS:
            model = self._keras_model
        else:
            model = self._fast_model
        return model.predict_on_batch(inputs)

    def open_keras(self):
        """Return the network as a new Keras model: inputs of `variant` → (n, classes)."""
        from alexnet_tf.model import AlexNet, load_model

        if self._weights is None:
            return load_model(self.source)
        return AlexNet(self.variant, len(self.classes), self._weights)

    def lacks_litert(self) -> bool:
        """Tell whether TensorFlow answered for want of a LiteRT file, which could be read here."""
        is_current = litert.is_current(self.litert_path, self.source)
        return self._asked_keras and litert.is_installed() and not is_current

    def write_litert(self) -> None:
        """Write the LiteRT file. Raises OSError where the folder takes none."""
        litert.write_litert(self._keras_model, self.litert_path)

    @cached_property
    def _lite_model(self) -> litert.LiteModel:
        return litert.LiteModel(self.litert_path)

    @cached_property
    def _keras_model(self):
        self._asked_keras = True
        import_tensorflow()
        return self.open_keras()

    @cached_property
    def _fast_model(self):
        model = self._keras_model  # before the next line, for it imports TensorFlow quietly
        from alexnet_tf.inference.fast import FastModel

        return FastModel(model, native_precision(), BATCH)
