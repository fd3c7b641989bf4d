"""A finished network and who answers for it: LiteRT at once, or TensorFlow many pictures fast."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.inference.litert import run as litert
from alexnet_tf.runs.model_metadata import check_model_metadata
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.fingerprints import file_fingerprint
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import FLOAT32, INT8
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import Variant, get_variant
from alexnet_tf.weights.loading import WeightsFile, find_weights, read_weights_file

# The most that convolutions see at once, of inputs or their mirror images.
BATCH = 64
# Up to as many inputs in all, of the own size of a network, LiteRT has answered sooner than
# TensorFlow, whose import takes seconds, but which then is faster.
MOST_FOR_LITE = 2000
# For each weight in a file, and beside all of them: the format with the largest is a Caffe model of
# float64, and whoever keeps more in a file of weights keeps something else.
MOST_BYTES, MOST_BESIDE = 16, 1 << 26
# The layers whose outputs are features, each with the one that they enter.
FEATURES = {"pool5": "fc6", "fc6": "fc7", "fc7": "fc8"}
# Without LiteRT: up to as many, a Keras model has answered before it is made fast.
MOST_AS_IT_IS = 250


def most_at_once(variant: Variant) -> int:
    """Return how many inputs a network of that variant may be asked about at once."""
    return BATCH // (1 + variant.mirrored)


class Engine:
    """A finished network, which is opened when the first picture asks.

    `variant` and `resize` say how `data.images.preprocessing` makes its inputs, and
    `classes` name its outputs, in their order; convolutions alone have none. Its weights are in the
    file `source`; `litert_path` is where the same network is, or should be, as a LiteRT file: that
    answers at once, while importing TensorFlow, which answers thousands faster, takes seconds.
    """

    def __init__(
        self,
        variant: Variant,
        resize: str,
        classes: Sequence[str],
        source: Path,
        litert_path: Path,
    ):
        self.variant, self.resize, self.classes = variant, resize, tuple(classes)
        self.source, self.litert_path = source, litert_path
        self._asked_keras = False
        self._fast_layers: dict[tuple[str, str, int], Any] = {}

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
        classes = classes or [names for _, names in imagenet_classes()]
        litert_path = Path(f"{path}.{variant}.tflite")
        engine = cls(get_variant(variant), resize, classes, path, litert_path)
        if not engine._has_litert:
            _ = engine.weights
        return engine

    @classmethod
    def of_weights(cls, weights: str | Path, variant: str, resize: str = "short") -> Engine:
        """Open pretrained weights to look into, of whatever classes, or of convolutions alone.

        Raises BadFile for unusable ones.
        """
        path = find_weights(weights)
        layers = read_weights_file(path).layers
        count = len(layers["fc8"][1]) if "fc8" in layers else 0
        names = [names for _, names in imagenet_classes()]
        classes = names if count == len(names) else [str(number) for number in range(count)]
        engine = cls(get_variant(variant), resize, classes, path, Path(f"{path}.{variant}.tflite"))
        _ = engine.weights
        return engine

    @classmethod
    def of_run(cls, run: Run) -> Engine:
        """Open a finished run, which knows its own classes, in pictures resized as they were then.

        Raises UserError when its config.json is unreadable, or of another network than its model.
        """
        config = run.read_config()
        check_model_metadata(run, config)
        settings, classes = Settings(**config["settings"]), config["classes"]
        variant = settings.chosen_variant()
        return cls(variant, settings.resize, classes, run.model_path, run.litert_path)

    def probabilities(self, inputs: np.ndarray, among: int) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), for inputs float32 (n, 227, 227, 3).

        n is at most what `most_at_once` says, and `among` says how many will be asked for in all:
        up to `MOST_FOR_LITE` are answered in float32 by LiteRT, where it can, of larger pictures
        fewer by as much as these take longer; more by `FastModel`.
        """
        variant = self.variant
        views = (1 + variant.mirrored) * (variant.picture_size / variant.image_size) ** 2
        if among * views <= MOST_FOR_LITE and self._has_litert:
            model = self._lite_model
        elif among <= MOST_AS_IT_IS:
            model = self._keras_model
        else:
            model = self._fast_model
        return model.predict_on_batch(inputs)

    def layer(
        self, name: str, precision: str | None = None, batch: int = BATCH
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return what computes the outputs of a layer, one of `FEATURES`, as fast as features are:
        in the `precision` that is fastest here, unless one is named.

        It maps inputs, at most `batch`, to float32 (n, units): pool5 flat, and means where the
        network sees several views of a picture. Raises UserError where it has no such layer, and
        for an int8 that cannot be had here.
        """
        fast = self._fast_layer(name, precision or self.fastest_precision(name), batch)
        return lambda inputs: fast.predict_on_batch(inputs).reshape(len(inputs), -1)

    def fastest_precision(self, name: str) -> str:
        """Return the precision in which a layer, one of `FEATURES`, is computed fastest here."""
        return self._fastest(lambda precision: self._fast_layer(name, precision, BATCH))[0]

    def _fast_layer(self, name: str, precision: str, batch: int):
        """Return a layer as a model, the same one each time."""
        self.check_layer(name)
        key = name, precision, batch
        if key not in self._fast_layers:
            model = self._keras_model  # before the next lines, for it imports TensorFlow quietly
            from alexnet_tf.inference.fast import FastModel
            from alexnet_tf.model import part

            first = part(model, "conv1", FEATURES[name]) if self.classes else model
            self._fast_layers[key] = FastModel(first, self.variant, precision, batch)
        return self._fast_layers[key]

    def _fastest(self, build: Callable[[str], Any]) -> tuple[str, Any]:
        """Return the fastest precision that works here, and what is built with it.

        One warning says which does not.
        """
        _ = self._keras_model  # before the next lines, for it imports TensorFlow quietly
        from alexnet_tf.frozen.choice import fastest_first
        from alexnet_tf.frozen.layers import NotHere

        for precision in fastest_first():
            try:
                return precision, build(precision)
            except NotHere as error:
                if precision != INT8:  # which is followed by what asks less of a processor
                    warn_once(str(error))
        return FLOAT32, build(FLOAT32)

    def check_layer(self, name: str) -> None:
        """Raise UserError unless the network has the layer `name`, one of `FEATURES`."""
        if name != "pool5" and not self.classes:
            raise UserError(
                f"{self.source}: holds convolutions alone, so there is no {name}; ask for pool5, or"
                " name a finished run with --run"
            )

    @cached_property
    def weights(self) -> WeightsFile:
        """The network's weights; BadFile unless all layers are there, of the right shapes."""
        if self.source.is_file():
            _ = self._opened  # of what is read now, or of what was there before
        file = read_weights_file(self.source, with_slopes=True)
        return replace(file, layers=file.check(self.variant, len(self.classes) or None))

    def open_keras(self):
        """Return the network as a new Keras model: inputs of `variant` → (n, classes), or pool5.

        It is built here, and only its weights are taken from the file: what a stranger's file says
        of layers is neither believed nor run.
        """
        weights = self.weights  # before TensorFlow is imported, for they may be refused
        import_tensorflow()
        from alexnet_tf.model import AlexNet, load_slopes

        model = AlexNet(
            self.variant, len(self.classes), weights.layers, include_top=bool(self.classes)
        )
        try:
            load_slopes(model, weights.slopes)
        except BadFile as error:
            raise BadFile(f"{self.source}: {error}") from error
        return model

    def identity(self) -> str:
        """Return a line that no network has which answers otherwise, wherever its files are."""
        answers_by = self._opened, self.resize, self.classes
        return hashlib.sha256(repr(answers_by).encode()).hexdigest()

    def lacks_litert(self) -> bool:
        """Tell whether TensorFlow answered for want of a LiteRT file, which could be read here."""
        return self._asked_keras and litert.is_installed() and not self._has_litert

    def write_litert(self, path: Path | None = None, int8: bool = False) -> None:
        """Write the LiteRT file, to where it is looked for unless `path` is given.

        Raises OSError where the folder takes none, and UserError when the weights were replaced in
        the meantime.
        """
        from alexnet_tf.inference.litert.convert import write_litert

        write_litert(self._keras_model, path or self.litert_path, self._unchanged, int8)

    def _unchanged(self) -> str:
        """Return the fingerprint of what was opened; UserError if that is no longer there."""
        if self._fingerprint() != self._opened:
            raise UserError(
                f"{self.source}: was replaced while its LiteRT file was being made; nothing was "
                "written, do it again"
            )
        return self._opened

    def _fingerprint(self) -> str:
        """Fingerprint the weights, and the network that is built of them.

        Raises BadFile for a file that is far too large, before it is read.
        """
        most = MOST_BYTES * self.variant.parameters(len(self.classes)) + MOST_BESIDE
        if self.source.stat().st_size > most:
            raise BadFile(
                f"{self.source}: is larger than weights of this network are, which take {most:,} "
                "bytes at most"
            )
        made_of = file_fingerprint(self.source), self.variant, len(self.classes)
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    @cached_property
    def _opened(self) -> str:
        return self._fingerprint()

    @cached_property
    def _has_litert(self) -> bool:
        return self.source.is_file() and litert.is_current(self.litert_path, self._opened)

    @cached_property
    def _lite_model(self) -> litert.LiteModel:
        return litert.LiteModel(self.litert_path, len(self.classes))

    @cached_property
    def _keras_model(self):
        self._asked_keras = True
        return self.open_keras()

    @cached_property
    def _fast_model(self):
        def build(precision: str):
            from alexnet_tf.inference.fast import FastModel

            most = most_at_once(self.variant)
            return FastModel(self._keras_model, self.variant, precision, most)

        return self._fastest(build)[1]
