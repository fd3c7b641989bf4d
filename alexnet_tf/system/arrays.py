"""NumPy's arrays in pickles, of which only the description is believed."""

from __future__ import annotations

import numpy as np

from alexnet_tf.errors import WeightsError
from alexnet_tf.system.pickles import text

# Orders of the bytes of a number, as numpy spells them; a single byte has none.
ORDERS = ("<", ">", "=", "|")


class PickledArray:
    """In place of an ndarray: keeps what the pickle says of it, and allocates nothing."""

    def __init__(self, _subtype, _shape, _typecode):
        """The arguments of numpy's _reconstruct, which describe an empty array."""

    def __setstate__(self, state: tuple):
        _version, self.shape, self.dtype, self.is_fortran, self.content = state

    def array(self, kinds: tuple[str, ...]) -> np.ndarray:
        """A view of the pickled bytes, whose type must be one of `kinds`, such as ``f4``."""
        flat = np.frombuffer(self.content, self.dtype.plain(kinds))
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _PickledType:
    """In place of numpy's dtype, which would believe what a pickle says of its insides."""

    def __init__(self, name, *_flags):
        self.name, self.order = text(name), "="

    def __setstate__(self, state: tuple):
        self.order = text(state[1])

    def plain(self, kinds: tuple[str, ...]) -> np.dtype:
        if self.name not in kinds or self.order not in ORDERS:
            raise WeightsError(
                f"holds an array of type '{self.name}', where {' or '.join(kinds)} is expected"
            )
        return np.dtype(self.order + self.name)


def _encode_latin1(content: str, _encoding: str) -> bytes:
    """In place of codecs.encode, by which pickle protocol 2 spells bytes."""
    return content.encode("latin-1")


# What a RestrictedUnpickler is to allow.
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    # Only passed on to _reconstruct; a string cannot be called to allocate anything.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _PickledType,
    ("_codecs", "encode"): _encode_latin1,
}
