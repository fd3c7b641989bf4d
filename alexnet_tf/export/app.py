"""LiteRT file for apps: pictures of any size to probabilities, with labels in its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from alexnet_tf.export.litert_metadata import append_labels, with_metadata
from alexnet_tf.export.network import ExportedNetwork, without_xla
from alexnet_tf.export.resizing import views_of
from alexnet_tf.inference.litert.convert import convert
from alexnet_tf.system.quiet import silenced


def write(path: Path, network: ExportedNetwork, int8: bool = False) -> None:
    """Write the network as a ``.tflite``: float32, or int8 weights at a quarter of the size."""

    def of_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": network.predict(views_of(pixels, network))}

    pixels = tf.TensorSpec((None, None, None, 3), tf.uint8, "pixels")
    with without_xla():
        function = tf.function(of_pixels).get_concrete_function(pixels)
    described = f"AlexNet, which knows {len(network.classes)} classes"
    content = convert(function, network.weights, int8)
    path.write_bytes(with_metadata(content, network.resized_side, described))
    append_labels(path, network.classes)


def predict(path: Path, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Predict pictures, each uint8 RGB (H, W, 3), with a LiteRT file: float32 (n, classes)."""
    with silenced():
        interpreter = Interpreter(str(path))
        (pixels,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
        predictions = []
        for picture in pictures:
            interpreter.resize_tensor_input(pixels["index"], (1, *picture.shape))
            interpreter.allocate_tensors()
            interpreter.set_tensor(pixels["index"], picture[None])
            interpreter.invoke()
            predictions.append(interpreter.get_tensor(outputs["index"]))
    return np.concatenate(predictions)
