"""The frozen layers of a network as one function, computed by the engine of a precision."""

from itertools import takewhile

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.frozen.calibration import calibrate
from alexnet_tf.frozen.int8 import Forward, by_openvino
from alexnet_tf.layers import Windows
from alexnet_tf.system.processor import INT8, INT8_FROM_CONV2, is_int8
from alexnet_tf.system.program import installing
from alexnet_tf.variants import Variant

# The largest accepted error of int8, relative to the outputs for drawn pictures. It is below 0.04
# where int8 works, and above 0.05 where products overflow, as those of conv1 and of signed
# activations do without VNNI.
MOST = 0.045
FLAT = (Windows, keras.layers.Flatten, keras.layers.Dense)


class NotHere(UserError):
    """An engine that is not installed or does not work here: the message says which, and why."""


def frozen_part(model: keras.Model, variant: Variant, precision: str, batch: int) -> Forward:
    """Return a function that computes a Keras AlexNet, or its first layers, in batches of `batch`:
    by TensorFlow or, in int8, the convolutions of a float32 `model` by OpenVINO. Raises NotHere if
    int8 is not installed or computes wrong results here."""
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
    except Exception as refusal:  # OpenVINO's, of any kind
        raise NotHere(f"OpenVINO does not compute this network here ({refusal})") from refusal
    if not error <= MOST:  # or NaN
        other = f"; --precision {INT8_FROM_CONV2} may do" if precision == INT8 else ""
        raise NotHere(f"in {precision} this network is wrong by {error:.0%} on this machine{other}")
    if layers[-1] is model.layers[-1]:
        return convolutions
    above = _computed(keras.Model(layers[-1].output, model.output))
    return lambda pictures: above(convolutions(pictures))


def by_tensorflow(model: keras.Model, variant: Variant) -> Forward:
    """Compute a model with TensorFlow, in the precision of its layers."""
    forward = _computed(model)
    return lambda pictures: forward(preprocess_input(pictures, variant))


def _computed(model: keras.Model) -> Forward:
    # Not compiled as a whole: oneDNN's convolutions are faster than XLA's on a CPU.
    forward = tf.function(lambda inputs: tf.cast(model(inputs, training=False), tf.float32))
    return lambda inputs: forward(inputs).numpy()


def _error(forward: Forward, pictures: np.ndarray, expected: np.ndarray, batch: int) -> float:
    """Return the relative error of the outputs for `pictures`, of which one batch is computed."""
    count = min(batch, len(pictures))
    padded = np.zeros((batch, *pictures.shape[1:]), pictures.dtype)
    padded[:count] = pictures[:count]
    # If the layers add mirror images, these come after all pictures.
    views = len(expected) // len(pictures)
    expected, found = (
        each.reshape(views, -1, *each.shape[1:])[:, :count] for each in (expected, forward(padded))
    )
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
