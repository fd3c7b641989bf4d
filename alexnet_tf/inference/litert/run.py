"""LiteRT inference: a network in one file, ready in half a second, by the optional package
``ai-edge-litert``, without TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.inference.litert.validate import check_file
from alexnet_tf.system.processor import processors
from alexnet_tf.system.quiet import silenced

# Marks the fingerprint at the end of a file, after the part that interpreters read.
MARK = b"\nalexnet_tf made this from %s\n"
MARK_BYTES = len(MARK % (b"0" * 64))


class LiteModel:
    """The network in a ``.tflite`` file, with the interface of a Keras model; UserError for a
    damaged file, and for one whose number of outputs is not `values`, if given."""

    def __init__(self, path: Path, values: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self._path, self._values = path, values
        with self._asking():
            check_file(path)
            self._interpreter = Interpreter(str(path), num_threads=processors())
            self._input = self._interpreter.get_input_details()[0]["index"]
            self._output = self._interpreter.get_output_details()[0]["index"]
            with silenced():  # it prints its delegate once per process
                self._interpreter.allocate_tensors()
        self._pictures = 0

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs, float32 (n, values), for inputs float32 (n, 227, 227, 3)."""
        with self._asking():
            if len(inputs) != self._pictures:  # resizing the input takes time
                self._interpreter.resize_tensor_input(self._input, inputs.shape)
                self._interpreter.allocate_tensors()
                self._pictures = len(inputs)
            self._interpreter.set_tensor(self._input, inputs)
            self._interpreter.invoke()
            outputs = self._interpreter.get_tensor(self._output)
            if outputs.shape != (len(inputs), self._values or outputs.shape[-1]):
                raise BadFile(f"its outputs have the shape {outputs.shape}")
        return outputs

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, RuntimeError, IndexError, MemoryError, BadFile) as error:
            raise UserError(
                f"{self._path}: is damaged, or not of this network ({error}); delete it, and "
                "TensorFlow predicts"
            ) from error


def is_installed() -> bool:
    """Check whether the LiteRT interpreter is installed."""
    return find_spec("ai_edge_litert") is not None


def is_current(path: Path, made_from: str) -> bool:
    """Check whether the file `path` is usable and was made from the source with the fingerprint
    `made_from`, 64 hex digits; timestamps, which copying changes, do not matter."""
    if not (is_installed() and path.is_file()):
        return False
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - MARK_BYTES))
        return file.read() == MARK % made_from.encode()
