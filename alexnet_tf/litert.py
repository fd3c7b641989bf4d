"""LiteRT: a network in one file, which answers in half a second, without TensorFlow.

The interpreter is the optional package ``ai-edge-litert``; only writing a file needs TensorFlow.
"""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from alexnet_tf.errors import RunError, UserError
from alexnet_tf.files import replacing
from alexnet_tf.quiet import no_remarks


class LiteModel:
    """The network in a ``.tflite`` file, asked like a Keras model. UserError for a damaged file."""

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        try:
            with no_remarks():
                self._interpreter = Interpreter(str(path))
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{path}: is damaged; delete it, and TensorFlow answers") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs float32 (n, 227, 227, 3) → probabilities (n, classes), one picture at a time."""
        return np.concatenate([self._predict(picture[None]) for picture in inputs])

    def _predict(self, inputs: np.ndarray) -> np.ndarray:
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


def is_installed() -> bool:
    """Whether there is an interpreter for LiteRT files."""
    return find_spec("ai_edge_litert") is not None


def is_current(path: Path, source: Path) -> bool:
    """Whether `path` can be asked in place of `source`, from which it was made."""
    if not (is_installed() and path.is_file() and source.is_file()):
        return False
    return path.stat().st_mtime >= source.stat().st_mtime


def write_litert(model, path: Path, int8: bool = False) -> None:
    """Write the Keras `model` as a ``.tflite``: float32, or with int8 weights, a quarter as large.

    Takes some ten seconds and, for a moment, 2.5 GB of memory.
    """
    import tensorflow as tf

    # Not from_keras_model, which first writes the network to the disk and reads it again.
    answer = tf.function(lambda inputs: model(inputs, training=False))
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    function = answer.get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with no_remarks(), redirect_stdout(io.StringIO()):
        content = converter.convert()
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


def export_apart(run: Path) -> None:
    """`write_litert` for a finished run in a process of its own, whose memory goes when it ends."""
    command = [sys.executable, "-m", "alexnet_tf", "export", str(run), "--format", "litert"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RunError(f"{run}: no LiteRT file could be written ({result.stderr.strip()[-500:]})")
