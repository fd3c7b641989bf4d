"""A finished network and its engines: LiteRT starts fast, TensorFlow has more throughput."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.inference.litert import run as litert
from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.runs.model_metadata import check_model_metadata, read_novelty
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.fingerprints import file_fingerprint
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import FLOAT32, INT8, chosen_precision, is_int8
from alexnet_tf.system.program import installing_all
from alexnet_tf.system.quiet import has_tensorflow, import_tensorflow
from alexnet_tf.variants import Variant, get_variant
from alexnet_tf.weights.loading import WeightsFile, find_weights, read_weights_file

if TYPE_CHECKING:
    import keras

# Largest batch of the convolutions, mirror images included.
BATCH = 64
# Largest total number of inputs, at the network's own size, for which LiteRT is faster: importing
# TensorFlow and measuring its engines take seconds, in which LiteRT predicts so many.
MOST_FOR_LITE = 1000
# Bytes allowed per weight of a file, and in addition for the whole file. The largest format is a
# Caffe model of float64; a larger file is not a file of weights.
MOST_BYTES, MOST_BESIDE = 16, 1 << 26
# Layers whose outputs are features, each with the layer that follows it.
FEATURES = {"pool5": "fc6", "fc6": "fc7", "fc7": "fc8"}
# Without LiteRT: largest number of inputs for which a plain Keras model beats building a
# `FastModel`.
MOST_AS_IT_IS = 250

# Probabilities (n, classes), and novelty (n,).
Outputs = tuple[np.ndarray, np.ndarray]


def most_at_once(variant: Variant) -> int:
    """Return the largest number of inputs that a network of the variant may be given at once."""
    return BATCH // (1 + variant.mirrored)


class Engine:
    """A finished network, loaded at the first prediction.

    `variant` and `resize` define the preprocessing (`data.images.preprocessing`); `classes` name
    the outputs, in order, and are empty for convolutions alone. The weights are in the file
    `source`, the network's LiteRT file is, or should be, at `litert_path`.
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
        # Of the convolutions. None: float32 or, for many pictures, the fastest.
        self.precision: str | None = None
        self.novelty: Novelty | None = None
        self._asked_keras = False
        self._built: dict[tuple[str | None, str, int], Any] = {}

    @classmethod
    def of_imagenet(
        cls,
        weights: str | Path,
        variant: str,
        resize: str = "short",
        classes: Sequence[str] | None = None,
    ) -> Engine:
        """Open pretrained weights for `classes`, by default ImageNet's thousand; BadFile if they
        are unusable, which is not checked again once there is a LiteRT file."""
        path = find_weights(weights)
        classes = classes or [names for _, names in imagenet_classes()]
        litert_path = Path(f"{path}.{variant}.tflite")
        engine = cls(get_variant(variant), resize, classes, path, litert_path)
        if not engine._has_litert:
            _ = engine.weights
        return engine

    @classmethod
    def of_weights(cls, weights: str | Path, variant: str, resize: str = "short") -> Engine:
        """Open pretrained weights for inspection, with any classes or none; BadFile if unusable."""
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
        """Open a finished run, with its own classes and the preprocessing of its training;
        UserError if config.json is unreadable or does not match the model."""
        config = run.read_config()
        check_model_metadata(run, config)
        settings, classes = Settings(**config["settings"]), config["classes"]
        variant = settings.chosen_variant()
        engine = cls(variant, settings.resize, classes, run.model_path, run.litert_path)
        engine.novelty = read_novelty(run.model_path, variant.filters[-1])
        return engine

    def predict(self, pictures: np.ndarray, among: int) -> Outputs:
        """Return the probabilities, float32 (n, classes), for pictures uint8 RGB (n, 227, 227, 3),
        and their novelty, float32 (n,), which is NaN where the network has none.

        n is at most `most_at_once`. `among` is the total number of pictures to come: up to
        `MOST_FOR_LITE` are computed in float32 by LiteRT, if available, and more by `FastModel`,
        unless there is no TensorFlow. For larger pictures the limit is lower, in proportion to
        their cost.
        """
        variant = self.variant
        views = (1 + variant.mirrored) * (variant.picture_size / variant.image_size) ** 2
        is_float32 = self.precision in (None, FLOAT32)
        is_lite = among * views <= MOST_FOR_LITE or not has_tensorflow()
        if is_float32 and is_lite and self._has_litert:
            model = self._lite_model
        elif is_float32 and among <= MOST_AS_IT_IS:
            model = self._network
        else:
            return self._outputs(self._fast_model.predict_on_batch(pictures))
        return self._outputs(model.predict_on_batch(preprocess_input(pictures, variant)))

    def single(self) -> Callable[[np.ndarray], Outputs] | None:
        """Return what predicts one picture, uint8 RGB (1, 227, 227, 3), in int8; None if that is
        not fastest here, because LiteRT is as fast as TensorFlow. It takes seconds, and
        TensorFlow."""
        possible = INT8 if find_spec("openvino") else FLOAT32
        if not is_int8(self.precision or chosen_precision() or possible):
            return None
        precision, model = self._fastest(None, 1)
        if not is_int8(precision):
            return None
        return lambda picture: self._outputs(model.predict_on_batch(picture))

    def layer(
        self, name: str, precision: str | None = None, batch: int = BATCH
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that computes the outputs of a layer, one of `FEATURES`, at full speed.

        It maps at most `batch` pictures, uint8 RGB, to float32 (n, units), averaged over the views
        of each; pool5 is flattened. `precision` defaults to the fastest here. Raises UserError if
        the network lacks the layer, and for int8 if this machine does not support it.
        """
        fast = self._fast(name, precision or self.fastest_precision(name), batch)
        return lambda pictures: fast.predict_on_batch(pictures).reshape(len(pictures), -1)

    def fastest_precision(self, name: str) -> str:
        """Return the precision in which a layer, one of `FEATURES`, is computed fastest here."""
        return self._fastest(name, BATCH)[0]

    def _fast(self, layer: str | None, precision: str, batch: int) -> Any:
        """Return a model of the network, or of its part up to `layer`, built once."""
        key = layer, precision, batch
        if key not in self._built:
            model = self._keras_model if layer else self._network  # imports TensorFlow quietly
            from alexnet_tf.inference.fast import FastModel
            from alexnet_tf.model import part

            if layer:
                self.check_layer(layer)
                model = part(model, "conv1", FEATURES[layer]) if self.classes else model
            self._built[key] = FastModel(model, self.variant, precision, batch)
        return self._built[key]

    def _fastest(self, layer: str | None, batch: int) -> tuple[str, Any]:
        """Return the fastest precision that works here, and what `_fast` returns for it. One
        warning names the precision that does not work; NotHere is raised if one was configured."""
        _ = self._keras_model  # first, because it imports TensorFlow quietly
        from alexnet_tf.frozen.choice import fastest_first
        from alexnet_tf.frozen.layers import NotHere

        for precision in [self.precision] if self.precision else fastest_first():
            try:
                return precision, self._fast(layer, precision, batch)
            except NotHere as error:
                if self.precision:
                    raise
                if precision != INT8:  # int8 is followed by a precision with lower requirements
                    warn_once(str(error))
        return FLOAT32, self._fast(layer, FLOAT32, batch)

    def check_layer(self, name: str) -> None:
        """Raise UserError unless the network has the layer `name`, one of `FEATURES`."""
        if name != "pool5" and not self.classes:
            raise UserError(
                f"{self.source}: holds convolutions alone, so there is no {name}; ask for pool5, or"
                " name a finished run with --run"
            )

    @cached_property
    def weights(self) -> WeightsFile:
        """The network's weights; BadFile unless all layers are present, with the right shapes."""
        if self.source.is_file():
            _ = self._opened  # fingerprint the file before it is read
        file = read_weights_file(self.source, with_slopes=True)
        return replace(file, layers=file.check(self.variant, len(self.classes) or None))

    def open_keras(self) -> keras.Model:
        """Return the network as a new Keras model: inputs of `variant` → (n, classes), or pool5.

        The graph is built here and only weights are taken from the file, so that no layer or code
        of an untrusted file is executed. Raises UserError if TensorFlow is not installed.
        """
        if not has_tensorflow():
            raise UserError(
                f"{self.source}: without TensorFlow, only LiteRT predicts, in float32, from a "
                f"current {self.litert_path.name}, and nothing else is possible; predict a picture "
                f"where TensorFlow is installed, which writes that file, or {installing_all()}"
            )
        weights = self.weights  # before TensorFlow is imported, because they may be refused
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
        """Return a text that identifies the network by its predictions, wherever its files are."""
        depends_on = self._opened, self.resize, self.classes
        return hashlib.sha256(repr(depends_on).encode()).hexdigest()

    def lacks_litert(self) -> bool:
        """Check whether TensorFlow was used only for lack of a LiteRT file, readable here."""
        return self._asked_keras and litert.is_installed() and not self._has_litert

    def write_litert(self, path: Path | None = None) -> None:
        """Write the LiteRT file, by default to `litert_path`; OSError if the folder is not
        writable, UserError if the weights were replaced meanwhile."""
        from alexnet_tf.inference.litert.convert import write_litert

        write_litert(self._network, path or self.litert_path, self._unchanged)

    def _unchanged(self) -> str:
        """Return the fingerprint of the opened file; UserError if it has changed since."""
        if self._fingerprint() != self._opened:
            raise UserError(
                f"{self.source}: was replaced while its LiteRT file was being made; nothing was "
                "written, do it again"
            )
        return self._opened

    def _fingerprint(self) -> str:
        """Fingerprint the weights and the network's definition; BadFile for a far too large
        file."""
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
        statistics = self.novelty.centers.shape[1] if self.novelty else 0
        return litert.LiteModel(self.litert_path, len(self.classes) + statistics)

    @cached_property
    def _keras_model(self) -> keras.Model:
        self._asked_keras = True
        return self.open_keras()

    @cached_property
    def _network(self) -> keras.Model:
        """The Keras model, whose outputs are followed by what the novelty is computed from."""
        model = self._keras_model  # first, because it imports TensorFlow quietly
        from alexnet_tf.model import with_statistics

        return with_statistics(model) if self.novelty else model

    def _outputs(self, outputs: np.ndarray) -> Outputs:
        """Divide what `_network` returns into probabilities and novelty."""
        classes = len(self.classes)
        if not self.novelty:
            return outputs, np.full(len(outputs), np.nan, np.float32)
        return outputs[:, :classes], self.novelty.of(outputs[:, classes:])

    @cached_property
    def _fast_model(self) -> Any:
        return self._fastest(None, most_at_once(self.variant))[1]
