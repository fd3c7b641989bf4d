"""The layout of ``bvlc_alexnet.npy``: a 0-d object array, a pickled dict name → [kernel, bias] or,
by newer versions of caffe-tensorflow, name → {"weights": kernel, "biases": bias}."""

import mmap
from pathlib import Path
from typing import IO, Any

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.system.pickles import ARRAYS, PickledArray, RestrictedUnpickler
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats.mapped import map_file

PARTS = ("weights", "biases")
FLOATS = ("f2", "f4", "f8")


def read_npy(path: Path) -> Content:
    """Read a file written by Python 2 or 3, with pickle protocol 2, 3 or 4."""
    file = map_file(path)
    shape, _, dtype = read_header(file)
    if shape != () or not dtype.hasobject:
        raise BadFile(
            f"holds an array of shape {shape}, where a pickled dict of layers (as in "
            "bvlc_alexnet.npy) is expected"
        )
    layers = RestrictedUnpickler(file, ARRAYS).load()
    if isinstance(layers, PickledArray):
        (layers,) = layers.content
    if not isinstance(layers, dict):
        raise BadFile("holds no dict of layers")
    return Content({name: _arrays(value) for name, value in layers.items()})


def read_header(file: IO[bytes] | mmap.mmap) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the shape, whether in Fortran's order, and the dtype of the .npy that starts here."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    return read(file)


def _arrays(value: Any) -> Any:
    """Return [kernel, bias]; anything else unchanged, for `read_weights_file` to report."""
    if isinstance(value, dict) and set(value) == set(PARTS):
        value = [value[part] for part in PARTS]
    if not isinstance(value, list | tuple):
        return value
    return [part.array(FLOATS) if isinstance(part, PickledArray) else part for part in value]
