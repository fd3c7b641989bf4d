"""A Keras AlexNet that answers many pictures at the speed at which features are computed."""

from __future__ import annotations

from itertools import takewhile

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.layers import MeanOfViews
from alexnet_tf.model import mean_of_views


class FastModel:
    """The network of the Keras `model`, or a part from its input on, asked like it, at most `batch`
    inputs at a time.

    The layers before the head are copies that compute in `precision`; the head is the model's own,
    in float32, for there the time goes into reading weights. In bfloat16 the probabilities
    differ from the model's: of 1,200 photos, on ImageNet's convolutions, by 0.011 at most.
    """

    def __init__(self, model: keras.Model, precision: str, batch: int):
        maps = next(each.output for each in model.layers if isinstance(each, keras.layers.Conv2D))
        both = keras.Model(model.input, [maps, model.output])
        self._network = _computing_in(precision, both)
        # The network whole has averaged its views itself.
        self._is_averaged = isinstance(model.layers[-1], MeanOfViews)
        # Not compiled as a whole: oneDNN's convolutions are faster than XLA's on a CPU.
        self._forward = tf.function(self._of_pictures)
        self._batch = batch

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs, float32 (n, classes), for inputs float32 (n, 227, 227, 3).

        Those of a part are (n, …), means over the views that the network has of each picture.
        """
        # Every other length would be traced anew.
        padded = np.zeros((self._batch, *inputs.shape[1:]), np.float32)
        padded[: len(inputs)] = inputs
        return self._forward(padded).numpy()[: len(inputs)]

    def _of_pictures(self, inputs: tf.Tensor) -> tf.Tensor:
        maps, outputs = self._network(inputs, training=False)
        outputs = tf.cast(outputs, tf.float32)
        return outputs if self._is_averaged else mean_of_views(outputs, maps, self._batch)


def _computing_in(precision: str, model: keras.Model) -> keras.Model:
    """Return a model of the same layers, those before the head being copies in `precision`."""
    policy = precision if precision == "float32" else f"mixed_{precision}"
    before = [*takewhile(lambda each: not isinstance(each, keras.layers.Dense), model.layers)]

    def layer_of(layer: keras.Layer) -> keras.Layer:
        if layer not in before:
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": policy})

    network = keras.models.clone_model(model, clone_function=layer_of)
    network.set_weights(model.get_weights())
    return network
