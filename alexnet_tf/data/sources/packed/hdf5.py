"""HDF5: a file of pictures and labels, or one of each, as PatchCamelyon has them."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.sources.packed.arrays import Array, paired
from alexnet_tf.data.sources.packed.importer import AT_ONCE, Contents, explained

FILES = r".+\.(h5|hdf5)"
# The bytes of a text of variable length, and the most of a chunk, which is unpacked at once.
TEXT, LARGEST_CHUNK = "S256", 1 << 28
MOST_ARRAYS = 1000


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the pictures and labels in `files`; what they take from other files is not read."""
    arrays = [array for file in files for array in _arrays(file)]
    return paired(arrays, label) if arrays else None


def _arrays(file: Path) -> list[Array]:
    import h5py  # 0.1 s

    arrays: list[Array] = []

    def add(name: str, item: Any) -> bool | None:
        """Add a dataset; attributes stay unread, for HDF5 can hang on damaged ones."""
        if isinstance(item, h5py.Dataset) and item.shape and not item.external:
            is_text = h5py.check_string_dtype(item.dtype) and item.dtype.hasobject
            dtype = np.dtype(TEXT) if is_text else item.dtype
            too_large = math.prod(item.chunks or ()) * dtype.itemsize > LARGEST_CHUNK
            if not (dtype.hasobject or item.is_virtual or too_large):
                opened = partial(_opened, file, name)
                arrays.append(Array(file, f"{file.stem}/{name}", item.shape, dtype, opened))
        return True if len(arrays) > MOST_ARRAYS else None

    with explained(file), h5py.File(file) as content:
        content.visititems(add)
    return arrays


@contextmanager
def _opened(file: Path, name: str) -> Iterator[_Rows]:
    import h5py

    with h5py.File(file) as content:
        yield _Rows(content[name])


class _Rows:
    """The bytes of a dataset, of which some rows are read at once."""

    def __init__(self, dataset: Any):
        self._dataset, self._place, self._block = dataset, 0, io.BytesIO()
        row = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
        least = max(AT_ONCE // row, *(dataset.chunks or (1,))[:1])
        self._step = max(1, min(least, LARGEST_CHUNK // row))

    def read(self, size: int) -> bytes:
        """Read whole rows of `size` bytes, one by one."""
        content = self._block.read(size)
        if not content and self._place < len(self._dataset):
            rows = self._dataset[self._place : self._place + self._step]
            self._place += self._step
            self._block = io.BytesIO(
                (rows.astype(TEXT) if rows.dtype.hasobject else rows).tobytes()
            )
            content = self._block.read(size)
        return content
