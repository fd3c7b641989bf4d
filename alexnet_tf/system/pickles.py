"""A safe reader of pickles and of NumPy arrays in them, which executes nothing."""

import pickle
from collections.abc import Callable, Mapping
from mmap import mmap
from typing import Any, BinaryIO, ClassVar

import numpy as np

from alexnet_tf.errors import BadFile

# BYTEARRAY8 allocates as many zeros as it claims. The others hash their operands, and hashing
# nested pairs takes a time that doubles with each level. No weights need any of them.
REFUSED = (
    pickle.BYTEARRAY8, pickle.DICT, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET
)  # fmt: skip
# NumPy's own limit; the product of many more dimensions takes long.
MOST_DIMENSIONS = 64
# NumPy's byte orders; a single byte has none.
ORDERS = ("<", ">", "=", "|")


class Named(dict[str | int, Any]):
    """A substitute for dict and OrderedDict, whose keys are strings or small integers."""

    def __init__(self, pairs: list[list[Any]] | None = None):
        """Take the pairs [[name, value], …] out of a list, as Python 2's OrderedDict pickles them.
        The list is emptied: a pickle may pass the same one a thousand times."""
        if not isinstance(pairs, list | None):
            raise BadFile("is damaged: what should be a list of pairs is none")
        for name, value in pairs or ():
            self[name] = value
        if pairs:
            pairs.clear()

    def __setitem__(self, name: Any, value: Any) -> None:
        is_number = isinstance(name, int) and -(1 << 63) <= name < 1 << 63
        super().__setitem__(name if is_number else text(name), value)


class RestrictedUnpickler(pickle._Unpickler):
    """An unpickler of plain data, which refuses every name that is not in `allowed`.

    `allowed` maps (module, name) to a substitute; `storages`, if given, resolves persistent ids.
    Dicts become `Named`; strings of Python 2, including array contents, become bytes.

    It extends the Python implementation because in the C one a pickle of ten bytes can fill the
    memory: its memo is an array of up to 2^32 entries, where this one has a dict.
    """

    append: Callable[[Any], None]
    stack: list[Any]

    def __init__(
        self,
        file: BinaryIO | mmap,
        allowed: Mapping[tuple[str, str], Any],
        storages: Callable[[Any], Any] | None = None,
    ):
        super().__init__(file, encoding="bytes")
        self._allowed, self._storages = allowed, storages

    def persistent_load(self, pid: Any) -> Any:
        return self._storages(pid) if self._storages else super().persistent_load(pid)

    def find_class(self, module: str, name: str) -> Any:
        # numpy.core became numpy._core in NumPy 2.
        key = (module.replace("numpy._core", "numpy.core"), name)
        if key not in self._allowed:
            raise BadFile(
                f"refused, for it asks to run '{module}.{name}', which no file of numbers needs"
            )
        return self._allowed[key]

    def load_empty_dictionary(self) -> None:
        self.append(Named())

    def load_build(self) -> None:
        """Pass the state to `__setstate__` only; pickle would also set attributes of any object."""
        state = self.stack.pop()
        set_state = getattr(type(self.stack[-1]), "__setstate__", None)
        if set_state:
            set_state(self.stack[-1], state)

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if bytes([code]) not in REFUSED
    } | {pickle.EMPTY_DICT[0]: load_empty_dictionary, pickle.BUILD[0]: load_build}


def text(name: Any) -> str:
    """Return `name`, pickled by Python 2 or 3, as a string; BadFile if it is not text."""
    if isinstance(name, bytes):
        return name.decode("latin-1")
    if not isinstance(name, str):
        raise BadFile("is damaged: a name in it is no text")
    return name


def whole_numbers(values: Any) -> tuple[int, ...]:
    """Return `values`; BadFile unless it is a short tuple of integers from 0 to 2^63."""
    if (
        not isinstance(values, tuple)
        or len(values) > MOST_DIMENSIONS
        or not all(isinstance(value, int) and 0 <= value < 1 << 63 for value in values)
    ):
        raise BadFile("is damaged: a size in it is no whole number")
    return values


class PickledArray:
    """A substitute for ndarray, which keeps the pickle's description and allocates nothing."""

    def __init__(self, _subtype: Any, _shape: Any, _typecode: Any):
        """Take the arguments of numpy's _reconstruct, which describe an empty array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self.shape, self.dtype, self.is_fortran, self.content = state

    def array(self, kinds: tuple[str, ...]) -> np.ndarray:
        """Return a view of the pickled bytes, whose type must be one of `kinds`, such as ``f4``."""
        flat = np.frombuffer(self.content, self.dtype.plain(kinds))
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _PickledType:
    """A substitute for numpy's dtype, which would trust the pickle's description of its fields."""

    def __init__(self, name: Any, *_flags: Any):
        self.name, self.order = text(name), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = text(state[1])

    def plain(self, kinds: tuple[str, ...]) -> np.dtype:
        """Return the dtype with its byte order; BadFile unless it is one of `kinds`."""
        if self.name not in kinds or self.order not in ORDERS:
            raise BadFile(
                f"holds an array of type '{self.name}', where {' or '.join(kinds)} is expected"
            )
        return np.dtype(self.order + self.name)


# The names that a RestrictedUnpickler must allow for arrays.
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    # Only passed on to _reconstruct; being a string, it cannot be called to allocate memory.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _PickledType,
    # With it pickle protocol 2 represents bytes.
    ("_codecs", "encode"): lambda content, _encoding: content.encode("latin-1"),
}
