"""LiteRT: a network in one file, which answers in half a second, without TensorFlow.

The interpreter is the optional package ``ai-edge-litert``; only writing a file needs TensorFlow.
"""

from __future__ import annotations

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

# What stands at the end of a file, behind what interpreters read: what it was made from.
MARK = b"\nalexnet_tf made this from %s\n"
MARK_BYTES = len(MARK % (b"0" * 64))


class LiteModel:
    """The network in a ``.tflite`` file, asked like a Keras model.

    Raises UserError for a damaged file, and for one of another network than those with so many
    `classes`, where that is given.
    """

    def __init__(self, path: Path, classes: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self._path, self._classes = path, classes
        with self._asking():
            check_file(path)
            self._interpreter = Interpreter(str(path), num_threads=processors())
            self._input = self._interpreter.get_input_details()[0]["index"]
            self._output = self._interpreter.get_output_details()[0]["index"]
            with silenced():  # it says once in a process what computes
                self._interpreter.allocate_tensors()
        self._pictures = 0

    def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), for inputs float32 (n, 227, 227, 3)."""
        with self._asking():
            if len(inputs) != self._pictures:  # to make ready for another number takes time
                self._interpreter.resize_tensor_input(self._input, inputs.shape)
                self._interpreter.allocate_tensors()
                self._pictures = len(inputs)
            self._interpreter.set_tensor(self._input, inputs)
            self._interpreter.invoke()
            outputs = self._interpreter.get_tensor(self._output)
            if outputs.shape != (len(inputs), self._classes or outputs.shape[-1]):
                raise BadFile(f"its outputs have the shape {outputs.shape}")
        return outputs

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, RuntimeError, IndexError, MemoryError, BadFile) as error:
            raise UserError(
                f"{self._path}: is damaged, or not of this network ({error}); delete it, and "
                "TensorFlow answers"
            ) from error


def is_installed() -> bool:
    """Tell whether there is an interpreter for LiteRT files."""
    return find_spec("ai_edge_litert") is not None


def is_litert(path: Path) -> bool:
    """Tell whether the file `path` begins as one of LiteRT."""
    with open(path, "rb") as file:
        return file.read(8)[4:] == b"TFL3"


def is_current(path: Path, made_from: str) -> bool:
    """Tell whether the file `path` can be asked, and says that it was made from just that.

    `made_from` is a fingerprint, 64 digits in hex; dates, which copying changes, do not count.
    """
    if not (is_installed() and path.is_file()):
        return False
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - MARK_BYTES))
        return file.read() == MARK % made_from.encode()
