"""MATLAB's .mat of pixels: X (height × width × channels × count) and y, as SVHN has them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from alexnet_tf.data.sources.packed.arrays import Array, paired
from alexnet_tf.data.sources.packed.importer import Contents

FILES = r".+\.mat"
# The axes of pictures, and the most numbers of an array, which is read at once.
AXES, MOST = 4, 1 << 31
# In the files of SVHN (ufldl.stanford.edu/housenumbers), the digit 0 has the label 10.
SVHN, ZERO = "_32x32.mat", "10"


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the pictures and labels in `files`; None if they are tables."""
    arrays = [array for file in files for array in _arrays(file)]
    if not any(array.in_columns for array in arrays):
        return None
    is_svhn = files[0].name.endswith(SVHN)
    return paired(arrays, label, lambda each: "0" if is_svhn and each == ZERO else each)


def _arrays(file: Path) -> Iterator[Array]:
    from scipy.io import whosmat  # 0.1 s

    variables = []
    with suppress(Exception):  # a damaged file is explained where tables are read
        variables = whosmat(file)
    for name, shape, kind in variables:
        if kind in np.sctypeDict and prod(shape) < MOST:
            has_axes = len(shape) == AXES
            rows = (shape[-1], *shape[:-1]) if has_axes else (prod(shape),)
            opened = partial(_opened, file, name, kind)
            yield Array(file, f"{file.stem}/{name}", rows, np.dtype(kind), opened, has_axes)


@contextmanager
def _opened(file: Path, name: str, kind: str) -> Iterator[io.BytesIO]:
    from scipy.io import loadmat

    array = loadmat(file, variable_names=[name])[name]
    content = io.BytesIO(np.ascontiguousarray(array.T, kind).data)  # as it is stored
    del array
    yield content
