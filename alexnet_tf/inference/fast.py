"""A Keras AlexNet optimized for throughput."""

from itertools import takewhile

import keras
import numpy as np

from alexnet_tf.frozen.layers import frozen_part
from alexnet_tf.layers import MeanOfViews, WithMirrorImage
from alexnet_tf.metrics.views import average_views
from alexnet_tf.model import dtype_policy
from alexnet_tf.system.processor import is_int8
from alexnet_tf.variants import Variant


class FastModel:
    """A Keras `model`, or its first part, optimized for batches of at most `batch` pictures.

    The layers before the head are copies that compute in `precision`; the head is the model's own,
    in float32, because its time is spent on reading weights. `variant` is the model's. Raises
    NotHere if int8 is not supported here, or computes wrong results.
    """

    def __init__(self, model: keras.Model, variant: Variant, precision: str, batch: int):
        if not is_int8(precision):
            model = _computing_in(precision, model)
        self._forward = frozen_part(model, variant, precision, batch)
        # The whole network averages its views itself.
        self._is_averaged = any(isinstance(each, MeanOfViews) for each in model.layers)
        self._mirrored = any(isinstance(each, WithMirrorImage) for each in model.layers)
        self._batch = batch

    def predict_on_batch(self, pictures: np.ndarray) -> np.ndarray:
        """Return the outputs, float32 (n, classes), for pictures uint8 RGB (n, 227, 227, 3); those
        of a part are (n, …), averaged over the test-time views of each picture."""
        # Every other batch size would be traced anew.
        padded = np.zeros((self._batch, *pictures.shape[1:]), np.uint8)
        padded[: len(pictures)] = pictures
        outputs = self._forward(padded)
        if not self._is_averaged:
            outputs = average_views(outputs, 1 + self._mirrored, self._batch)
        return outputs[: len(pictures)]


def _computing_in(precision: str, model: keras.Model) -> keras.Model:
    """Clone a model; the layers before the head compute in `precision`."""
    policy = dtype_policy(precision)
    head = keras.layers.Dense | keras.layers.UnitNormalization
    before = [*takewhile(lambda each: not isinstance(each, head), model.layers)]

    def layer_of(layer: keras.Layer) -> keras.Layer:
        if layer not in before:
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": policy})

    network = keras.models.clone_model(model, clone_function=layer_of)
    network.set_weights(model.get_weights())
    return network
