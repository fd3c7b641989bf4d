"""Keras's own formats: ``.weights.h5``, which is HDF5, and ``.keras``, a zip that contains it."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats.mapped import map_file, map_members

# Keras names a group of variables after the layer's class, numbered in the model's order. The
# layer's own name is in an attribute, but on a damaged attribute HDF5 can hang forever.
LAYERS = {
    "grouped_conv2d": "conv1",
    "grouped_conv2d_1": "conv2",
    "grouped_conv2d_2": "conv3",
    "grouped_conv2d_3": "conv4",
    "grouped_conv2d_4": "conv5",
    "dense": "fc6",
    "dense_1": "fc7",
    "dense_2": "fc8",
}
SLOPES = ("p_re_lu", *(f"p_re_lu_{number}" for number in range(1, 7)))  # of prelu1 … prelu7


def read_h5(path: Path) -> Content:
    """Read the file that `save_weights` of an `AlexNet` wrote."""
    return _read(memoryview(map_file(path)))


def read_keras(path: Path) -> Content:
    """Read the weights in the file that `save` of an `AlexNet` wrote; ignore its configuration."""
    return _read(map_members(path)["model.weights.h5"])


def _read(content: memoryview) -> Content:
    """Read the layers below ``layers/``, kernel and bias as ``vars/0`` and ``vars/1``."""
    import h5py  # slow to import; only this format needs it

    with h5py.File(_File(content), "r") as file:
        layers = {
            name: [_array(content, file[f"layers/{group}/vars/{number}"]) for number in (0, 1)]
            for group, name in LAYERS.items()
            if f"layers/{group}" in file
        }
        groups = [f"layers/{group}" for group in SLOPES if f"layers/{group}" in file]
        slopes = tuple(_array(content, file[f"{group}/vars/0"]) for group in groups)
    if "fc6" in layers and "fc7" not in layers:  # a linear head, which is fc8 alone
        layers["fc8"] = layers.pop("fc6")
    if not layers:
        raise BadFile("has none of the layers that an AlexNet of alexnet_tf has")
    return Content(layers, slopes=slopes)


def _array(content: memoryview, dataset: Any) -> np.ndarray:
    """Return a view of the dataset's bytes; Keras writes them contiguously."""
    start = dataset.id.get_offset()
    if start is None:
        raise BadFile(f"its dataset {dataset.name} is not stored in one plain piece")
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    return np.frombuffer(content[start : start + size], dataset.dtype).reshape(dataset.shape)


class _File(io.RawIOBase):
    """A file object over `content`, with all that h5py asks of one."""

    def __init__(self, content: memoryview):
        self.content, self.place = content, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + (len(self.content) if whence == io.SEEK_END else 0)
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        part = self.content[self.place : self.place + len(buffer)]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)
