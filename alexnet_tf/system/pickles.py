"""Pickles, and NumPy's arrays in them, read without running what strangers put there."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile

# BYTEARRAY8 allocates as many zeros as it says. The others hash what they are given, and the hash
# of pairs of pairs of pairs takes a time that doubles with each of them. No weights need any.
REFUSED = (
    pickle.BYTEARRAY8,
    pickle.DICT,
    pickle.EMPTY_SET,
    pickle.ADDITEMS,
    pickle.FROZENSET,
)
# NumPy's own limit; the product of many more takes a while.
MOST_DIMENSIONS = 64
# Orders of the bytes of a number, as numpy spells them; a single byte has none.
ORDERS = ("<", ">", "=", "|")


class Named(dict):
    """In place of a dict or an OrderedDict: its keys are text or small whole numbers."""

    def __init__(self, pairs: list | None = None):
        """Take the pairs out of a list, as Python 2's OrderedDict writes it: [[name, value], …].

        Out of it, so that a list that a pickle hands over a thousand times is walked through once.
        """
        if pairs is None:
            return
        if not isinstance(pairs, list):
            raise BadFile("is damaged: what should be a list of pairs is none")
        pairs.reverse()
        while pairs:
            name, value = pairs.pop()
            self[name] = value

    def __setitem__(self, name, value):
        is_number = isinstance(name, int) and -(1 << 63) <= name < 1 << 63
        super().__setitem__(name if is_number else text(name), value)


class RestrictedUnpickler(pickle._Unpickler):
    """Unpickles plain data. A name that is not in `allowed` is refused before it is called.

    `allowed` maps (module, name) to what stands in its place; `storages`, where given, answers the
    persistent ids. Dicts come back as `Named`, and strings of Python 2, array contents among them,
    as bytes.

    The unpickler written in Python, not the one in C, which lets a pickle of ten bytes fill the
    memory: with a memo of 2^32 places, where this one keeps a dict.
    """

    def __init__(
        self,
        file,
        allowed: Mapping[tuple[str, str], Any],
        storages: Callable[[Any], Any] | None = None,
    ):
        super().__init__(file, encoding="bytes")
        self._allowed = allowed
        if storages:
            self.persistent_load = storages

    def find_class(self, module: str, name: str):
        # numpy.core became numpy._core in NumPy 2.
        key = (module.replace("numpy._core", "numpy.core"), name)
        if key not in self._allowed:
            raise BadFile(
                f"refused, for it asks to run '{module}.{name}', which no file of numbers needs"
            )
        return self._allowed[key]

    def load_empty_dictionary(self):
        self.append(Named())

    def load_build(self):
        """Give the state to who asks for it; pickle would also set attributes of anything."""
        state = self.stack.pop()
        set_state = getattr(type(self.stack[-1]), "__setstate__", None)
        if set_state:
            set_state(self.stack[-1], state)

    dispatch = {  # noqa: RUF012
        **{
            code: load
            for code, load in pickle._Unpickler.dispatch.items()
            if bytes([code]) not in REFUSED
        },
        pickle.EMPTY_DICT[0]: load_empty_dictionary,
        pickle.BUILD[0]: load_build,
    }


def text(name: Any) -> str:
    """Return `name` as Python 2 or 3 pickled it; BadFile if it is no text."""
    if isinstance(name, bytes):
        return name.decode("latin-1")
    if not isinstance(name, str):
        raise BadFile("is damaged: a name in it is no text")
    return name


def whole_numbers(values: Any) -> tuple[int, ...]:
    """Return `values` itself; BadFile unless it is a tuple of few whole numbers, of 0 to 2^63."""
    if (
        not isinstance(values, tuple)
        or len(values) > MOST_DIMENSIONS
        or not all(isinstance(value, int) and 0 <= value < 1 << 63 for value in values)
    ):
        raise BadFile("is damaged: a size in it is no whole number")
    return values


class PickledArray:
    """In place of an ndarray: keeps what the pickle says of it, and allocates nothing."""

    def __init__(self, _subtype, _shape, _typecode):
        """Take the arguments of numpy's _reconstruct, which describe an empty array."""

    def __setstate__(self, state: tuple):
        _version, self.shape, self.dtype, self.is_fortran, self.content = state

    def array(self, kinds: tuple[str, ...]) -> np.ndarray:
        """Return a view of the pickled bytes, whose type must be one of `kinds`, such as ``f4``."""
        flat = np.frombuffer(self.content, self.dtype.plain(kinds))
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _PickledType:
    """In place of numpy's dtype, which would believe what a pickle says of its insides."""

    def __init__(self, name, *_flags):
        self.name, self.order = text(name), "="

    def __setstate__(self, state: tuple):
        self.order = text(state[1])

    def plain(self, kinds: tuple[str, ...]) -> np.dtype:
        """Return the type, with the order of its bytes; BadFile unless it is one of `kinds`."""
        if self.name not in kinds or self.order not in ORDERS:
            raise BadFile(
                f"holds an array of type '{self.name}', where {' or '.join(kinds)} is expected"
            )
        return np.dtype(self.order + self.name)


def _encode_latin1(content: str, _encoding: str) -> bytes:
    """Stand in for codecs.encode, by which pickle protocol 2 spells bytes."""
    return content.encode("latin-1")


# What a RestrictedUnpickler is to allow for arrays.
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    # Only passed on to _reconstruct; a string cannot be called to allocate anything.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _PickledType,
    ("_codecs", "encode"): _encode_latin1,
}
