"""LiteRT: a network in one file, which answers in half a second, without TensorFlow.

The interpreter is the optional package ``ai-edge-litert``; only writing a file needs TensorFlow.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from logging import Logger
from pathlib import Path

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import replacing
from alexnet_tf.system.quiet import no_remarks


class LiteModel:
    """The network in a ``.tflite`` file, asked like a Keras model.

    Raises UserError for a damaged file.
    """

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        self._path = path
        with self._opening():
            self._interpreter = Interpreter(str(path), num_threads=os.cpu_count())
            self._input = self._interpreter.get_input_details()[0]["index"]
            self._output = self._interpreter.get_output_details()[0]["index"]
        self._pictures = 0

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), for inputs float32 (n, 227, 227, 3)."""
        if len(inputs) != self._pictures:  # to make ready for another number takes time
            with self._opening():
                self._interpreter.resize_tensor_input(self._input, inputs.shape)
                self._interpreter.allocate_tensors()
            self._pictures = len(inputs)
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    @contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            with no_remarks():
                yield
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"{self._path}: is damaged, or of an older version of this program; delete it, and "
                "TensorFlow answers"
            ) from error


def is_installed() -> bool:
    """Tell whether there is an interpreter for LiteRT files."""
    return find_spec("ai_edge_litert") is not None


def is_current(path: Path, source: Path) -> bool:
    """Tell whether `path` can be asked in place of `source`, from which it was made."""
    if not (is_installed() and path.is_file() and source.is_file()):
        return False
    return path.stat().st_mtime >= source.stat().st_mtime


def write_litert(model, path: Path, int8: bool = False) -> None:
    """Write the Keras `model` as a ``.tflite``: float32, or with int8 weights, a quarter as large.

    It takes any number of inputs at once. Writing it takes some seconds and, for a moment, 1.8 GB
    of memory.
    """
    import tensorflow as tf

    # Not from_keras_model, which first writes the network to the disk and reads it again.
    answer = tf.function(lambda inputs: model(inputs, training=False))
    signature = tf.TensorSpec(model.input_shape, tf.float32)
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    function = answer.get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    # Each spares TensorFlow a pass in Python over all weights, which takes seconds: one that adds a
    # note on the conversion, and one that looks for weights that are there twice.
    converter.exclude_conversion_metadata = True
    converter._experimental_use_buffer_offset = True
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with no_remarks(), redirect_stdout(io.StringIO()):
        content = converter.convert()
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


@contextmanager
def exporting_apart(run: Path, log: Logger) -> Iterator[None]:
    """Run a block that leaves the model of a run; then `write_litert` in a process of its own.

    The memory that this takes is gone when the process ends, which imports TensorFlow during the
    block. A failure is a warning, for without the file everything works, only slower.
    """
    command = [sys.executable, "-m", "alexnet_tf", "export", str(run), "--format", "litert"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--wait"], text=True, **pipes) as process:
        try:
            yield
            _, errors = process.communicate("\n")
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        log.warning("%s: no LiteRT file could be written (%s)", run, errors.strip()[-500:])
