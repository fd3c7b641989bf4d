"""A Keras AlexNet that answers many pictures at the speed at which features are computed."""

from __future__ import annotations

from itertools import takewhile

import keras
import numpy as np

from alexnet_tf.frozen.layers import frozen_part
from alexnet_tf.layers import MeanOfViews, WithMirrorImage
from alexnet_tf.system.processor import is_int8
from alexnet_tf.variants import Variant


class FastModel:
    """The network of the Keras `model`, or a part from its input on, asked like it, at most `batch`
    inputs at a time.

    The layers before the head are copies that compute in `precision`; the head is the model's own,
    in float32, for there the time goes into reading weights. `variant` is the model's. Raises
    NotHere for an int8 that cannot be had here, or is wrong.
    """

    def __init__(self, model: keras.Model, variant: Variant, precision: str, batch: int):
        if not is_int8(precision):
            model = _computing_in(precision, model)
        self._forward = frozen_part(model, variant, precision, batch, of_pixels=False).forward
        # The network whole has averaged its views itself.
        self._is_averaged = isinstance(model.layers[-1], MeanOfViews)
        self._mirrored = any(isinstance(each, WithMirrorImage) for each in model.layers)
        self._batch = batch

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs, float32 (n, classes), for inputs float32 (n, 227, 227, 3).

        Those of a part are (n, …), means over the views that the network has of each picture.
        """
        # Every other length would be traced anew.
        padded = np.zeros((self._batch, *inputs.shape[1:]), np.float32)
        padded[: len(inputs)] = inputs
        outputs = self._forward(padded)
        if not self._is_averaged:
            # Mirror images stand behind the pictures; windows of one follow each other.
            views = (1 + self._mirrored, self._batch, -1, *outputs.shape[1:])
            outputs = outputs.reshape(views).mean(axis=(0, 2))
        return outputs[: len(inputs)]


def _computing_in(precision: str, model: keras.Model) -> keras.Model:
    """Return a model of the same layers, those before the head being copies in `precision`."""
    policy = precision if precision == "float32" else f"mixed_{precision}"
    head = keras.layers.Dense | keras.layers.UnitNormalization
    before = [*takewhile(lambda each: not isinstance(each, head), model.layers)]

    def layer_of(layer: keras.Layer) -> keras.Layer:
        if layer not in before:
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": policy})

    network = keras.models.clone_model(model, clone_function=layer_of)
    network.set_weights(model.get_weights())
    return network
