"""The frozen layers of a network as one function, by the engine that a precision names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.frozen.calibration import calibrate
from alexnet_tf.layers import Windows
from alexnet_tf.system.processor import INT8, INT8_FROM_CONV2, is_int8
from alexnet_tf.system.program import installing
from alexnet_tf.variants import Variant

# The largest error of int8, relative to the outputs of the convolutions for drawn pictures. It is
# below 0.04 where int8 is right, and above 0.05 where products overflow, as conv1's and those of
# signed activations do without VNNI.
MOST = 0.045
# The layers that see no maps.
FLAT = (Windows, keras.layers.Flatten, keras.layers.Dense)

# Maps pictures, uint8 RGB (n, side, side, 3), to what frozen layers make of them, float32.
Forward = Callable[[np.ndarray], np.ndarray]


class NotHere(UserError):
    """An engine is not installed here, or does not work: the message says which, and why."""


def frozen_part(model: keras.Model, variant: Variant, precision: str, batch: int) -> Forward:
    """Return what computes a Keras AlexNet, or its layers from the input on, `batch` pictures at a
    time: by TensorFlow as they are, or with int8 the convolutions by OpenVINO.

    For int8 the model computes in float32. Raises NotHere where int8 cannot be had here, or is
    wrong.
    """
    if not is_int8(precision):
        return by_tensorflow(model, variant)
    layers = [*takewhile(lambda each: not isinstance(each, FLAT), model.layers)]
    try:
        largest, pictures, expected = calibrate(model, layers, variant)
        convolutions = by_openvino(layers, variant, largest, precision, batch)
        error = _error(convolutions, pictures, expected, batch)
    except ModuleNotFoundError as missing:
        raise NotHere(
            f"{precision} needs {missing.name}, which is not installed: `{installing('openvino')}`"
        ) from missing
    except Exception as refusal:  # another library's, of whatever kind
        raise NotHere(f"OpenVINO does not compute this network here ({refusal})") from refusal
    if not error <= MOST:  # so written, NaN is caught too
        other = f"; --precision {INT8_FROM_CONV2} may do" if precision == INT8 else ""
        raise NotHere(f"in {precision} this network is wrong by {error:.0%} on this machine{other}")
    if layers[-1] is model.layers[-1]:
        return convolutions
    above = _computed(keras.Model(layers[-1].output, model.output))
    return lambda pictures: above(convolutions(pictures))


def by_tensorflow(model: keras.Model, variant: Variant) -> Forward:
    """Let TensorFlow compute a model, in what its layers compute in."""
    forward = _computed(model)
    return lambda pictures: forward(preprocess_input(pictures, variant))


def _computed(model: keras.Model) -> Forward:
    # Not compiled as a whole: oneDNN's convolutions are faster than XLA's on a CPU.
    forward = tf.function(lambda inputs: tf.cast(model(inputs, training=False), tf.float32))
    return lambda inputs: forward(inputs).numpy()


def by_openvino(
    layers: Sequence[keras.layers.Layer],
    variant: Variant,
    largest: Mapping[str, float],
    precision: str,
    batch: int,
) -> Forward:
    """Let OpenVINO compute convolutional layers in int8; its errors are of any kind."""
    from alexnet_tf.frozen.int8 import int8_convolutions

    return int8_convolutions(layers, variant, largest, precision == INT8, batch)


def _error(forward: Forward, pictures: np.ndarray, expected: np.ndarray, batch: int) -> float:
    """Return how far the outputs for `pictures` are from those expected, as a share of these."""
    padded = np.zeros((batch, *pictures.shape[1:]), pictures.dtype)
    count = min(batch, len(pictures))
    padded[:count] = pictures[:count]
    # Mirror images, where the layers add them, stand behind all pictures.
    views = len(expected) // len(pictures)
    expected, found = (
        each.reshape(views, -1, *each.shape[1:])[:, :count] for each in (expected, forward(padded))
    )
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
