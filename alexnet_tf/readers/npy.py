"""The layout of ``bvlc_alexnet.npy``: a 0-d object array, a pickled dict name → [kernel, bias]."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from alexnet_tf.errors import WeightsError
from alexnet_tf.readers.mapped import map_file
from alexnet_tf.readers.pickles import RestrictedUnpickler, text

FLOATS = ("f2", "f4", "f8")


def read_npy(path: Path) -> dict:
    """Written by Python 2 or 3, by pickle protocol 2, 3 or 4."""
    file = map_file(path)
    shape, _, dtype = read_header(file)
    if shape != () or not dtype.hasobject:
        raise WeightsError(
            f"holds an array of shape {shape}, where a pickled dict of layers (as in "
            "bvlc_alexnet.npy) is expected"
        )
    layers = RestrictedUnpickler(file, _ALLOWED).load()
    if isinstance(layers, _PickledArray):
        (layers,) = layers.content
    if not isinstance(layers, dict):
        raise WeightsError("holds no dict of layers")
    return {name: _arrays(value) for name, value in layers.items()}


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type of the .npy that begins at `file`'s place."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    return read(file)


class _PickledArray:
    """In place of an ndarray: keeps what the pickle says of it, and allocates nothing."""

    def __init__(self, _subtype, _shape, _typecode):
        """The arguments of numpy's _reconstruct, which describe an empty array."""

    def __setstate__(self, state: tuple):
        _version, self.shape, self.dtype, self.is_fortran, self.content = state

    def array(self) -> np.ndarray:
        """A view of the pickled bytes."""
        flat = np.frombuffer(self.content, self.dtype.plain())
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _PickledType:
    """In place of numpy's dtype, which would believe what a pickle says of its insides."""

    def __init__(self, name, *_flags):
        self.name, self.order = text(name), "="

    def __setstate__(self, state: tuple):
        self.order = text(state[1])

    def plain(self) -> np.dtype:
        if self.name not in FLOATS or self.order not in "<>=":
            raise WeightsError(f"holds an array of type '{self.name}'; weights are floats")
        return np.dtype(self.order + self.name)


def _arrays(value):
    """[kernel, bias], or whatever else there is, for `read_weights` to name."""
    if not isinstance(value, list | tuple):
        return value
    return [part.array() if isinstance(part, _PickledArray) else part for part in value]


def _encode_latin1(content: str, _encoding: str) -> bytes:
    """In place of codecs.encode, by which pickle protocol 2 spells bytes."""
    return content.encode("latin-1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    # Only passed on to _reconstruct; a string cannot be called to allocate anything.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _PickledType,
    ("_codecs", "encode"): _encode_latin1,
}
