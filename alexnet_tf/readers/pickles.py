"""Pickles, read without running what strangers put in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

from alexnet_tf.errors import WeightsError


class RestrictedUnpickler(pickle._Unpickler):
    """Unpickles plain data. A name that is not in `allowed` is refused before it is called.

    `allowed` maps (module, name) to what stands in its place; `storages`, where given, answers the
    persistent ids. Strings of Python 2, array contents among them, come back as bytes.

    The unpickler written in Python, not the one in C, which lets a pickle of ten bytes fill the
    memory: with a memo of 2^32 places, where this one keeps a dict.
    """

    # BYTEARRAY8 allocates as many zeros as it says; no file of weights needs it.
    dispatch = {  # noqa: RUF012
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if code != pickle.BYTEARRAY8[0]
    }

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
                f"refused, for it asks to run '{module}.{name}', which no file of weights needs"
            )
        return self._allowed[key]


def text(name: Any) -> str:
    """`name` as Python 2 or 3 pickled it."""
    return name.decode("latin-1") if isinstance(name, bytes) else str(name)
