"""Pickles, read without running what strangers put in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

from alexnet_tf.errors import WeightsError

# BYTEARRAY8 allocates as many zeros as it says. The others hash what they are given, and the hash
# of pairs of pairs of pairs takes a time that doubles with each of them. No weights need any.
REFUSED = (
    pickle.BYTEARRAY8,
    pickle.DICT,
    pickle.EMPTY_SET,
    pickle.ADDITEMS,
    pickle.FROZENSET,
)


class Named(dict):
    """In place of a dict or an OrderedDict: its keys are text, and nothing else."""

    def __init__(self):
        """Of no arguments, as pickles make it."""

    def __setitem__(self, name, value):
        super().__setitem__(text(name), value)


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
            raise WeightsError(
                f"refused, for it asks to run '{module}.{name}', which no file of numbers needs"
            )
        return self._allowed[key]

    def load_empty_dictionary(self):
        self.append(Named())

    def load_build(self):
        """The state goes to who asks for it; pickle would also set attributes of anything."""
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
    """`name` as Python 2 or 3 pickled it; WeightsError if it is no text."""
    if isinstance(name, bytes):
        return name.decode("latin-1")
    if not isinstance(name, str):
        raise WeightsError("is damaged: a name in it is no text")
    return name


def whole_numbers(values: Any) -> tuple[int, ...]:
    """`values` itself; WeightsError unless it is a tuple of whole numbers, of 0 to 2^63."""
    if not isinstance(values, tuple) or not all(
        isinstance(value, int) and 0 <= value < 1 << 63 for value in values
    ):
        raise WeightsError("is damaged: a size in it is no whole number")
    return values
