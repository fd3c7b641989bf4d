"""TensorFlow's SavedModel: a folder that TF Serving and programs with TensorFlow load.

``serving_default`` takes the contents of picture files, ``pixels`` decoded pictures. Both return
the class names and their probabilities, in the same order.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from alexnet_tf.export.decoding import decode
from alexnet_tf.export.network import ExportedNetwork, without_xla
from alexnet_tf.export.resizing import views_of
from alexnet_tf.system.quiet import silenced


def write(folder: Path, network: ExportedNetwork) -> None:
    """Fill `folder` with the network as a SavedModel."""
    module = tf.Module()
    # Not the Keras model itself: only programs that have its layer classes could load it.
    module.weights = network.weights
    least = 2 * network.cut.resized
    views = tf.TensorSpec((network.crops, network.side, network.side, 3), tf.float32)

    def of_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return named(network.predict(views_of(pixels, network)))

    def of_files(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        def load(content: tf.Tensor) -> tf.Tensor:
            return views_of(decode(content, least)[None], network)[0]

        return named(network.predict(tf.map_fn(load, contents, fn_output_signature=views)))

    def named(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        names = tf.tile([network.classes], (tf.shape(probabilities)[0], 1))
        return {"classes": names, "probabilities": probabilities}

    files = tf.TensorSpec((None,), tf.string, "bytes")
    pixels = tf.TensorSpec((None, None, None, 3), tf.uint8, "pixels")
    with without_xla():
        signatures = {
            "serving_default": tf.function(of_files).get_concrete_function(files),
            "pixels": tf.function(of_pixels).get_concrete_function(pixels),
        }
    with silenced():
        tf.saved_model.save(module, folder, signatures)


def predict(folder: Path, contents: Sequence[bytes]) -> np.ndarray:
    """Predict the contents of picture files with a SavedModel: float32 (n, classes)."""
    prediction = tf.saved_model.load(folder).signatures["serving_default"]
    return prediction(bytes=tf.constant(contents))["probabilities"].numpy()
