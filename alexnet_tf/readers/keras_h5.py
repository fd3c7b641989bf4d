"""Keras's own: ``.weights.h5``, an HDF5 file, and ``.keras``, a zip that holds one."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np

from alexnet_tf.errors import WeightsError
from alexnet_tf.readers.mapped import map_file, map_members


def read_h5(path: Path) -> dict:
    """What `save_weights` of a Keras 3 model wrote."""
    return _read(memoryview(map_file(path)))


def read_keras(path: Path) -> dict:
    """What `save` of a Keras 3 model wrote: its weights alone, nothing of its code or graph."""
    members = map_members(path)
    if "model.weights.h5" not in members:
        raise WeightsError("lacks model.weights.h5, which a .keras file of Keras 3 has")
    return _read(members["model.weights.h5"])


def _read(content: memoryview) -> dict:
    """The layers below ``layers/``: a name in an attribute, kernel and bias as ``vars/0`` and 1."""
    import h5py  # Keras brings it; other formats do without

    layers = {}
    with h5py.File(_File(content), "r") as file:
        for group in file["layers"].values():
            variables = group.get("vars", {})
            if len(variables):
                name = str(variables.attrs["name"])
                layers[name] = [_array(content, dataset) for dataset in variables.values()]
    return layers


def _array(content: memoryview, dataset) -> np.ndarray:
    """A view of the dataset's bytes; Keras writes them in one piece."""
    start = dataset.id.get_offset()
    if start is None:
        raise WeightsError(f"its dataset {dataset.name} is not stored in one plain piece")
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    return np.frombuffer(content[start : start + size], dataset.dtype).reshape(dataset.shape)


class _File(io.RawIOBase):
    """`content` as the file that h5py asks for."""

    def __init__(self, content: memoryview):
        self.content, self.place = content, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: len(self.content)}
        self.place = start[whence] + offset
        return self.place

    def readinto(self, buffer) -> int:
        part = self.content[self.place : self.place + len(buffer)]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)
