"""Arrays in files of their own: MNIST's idx, also gzipped, and STL-10's .bin."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.sources.packed.arrays import Array, paired
from alexnet_tf.data.sources.packed.importer import Contents

FILES = r".+idx[13]-ubyte(\.gz)?|(train|test|unlabeled)_[Xy]\.bin"
# The type of an array, and its number of axes (yann.lecun.com/exdb/mnist).
HEADER, UINT8 = struct.Struct(">HBB"), 8
# A picture of STL-10 (cs.stanford.edu/~acoates/stl10), whose classes are counted from 1.
STL10, NAMES = (3, 96, 96), "class_names.txt"


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the pictures and labels in `files`."""
    names = files[0].with_name(NAMES)
    classes = names.read_text().split() if names.is_file() else []
    arrays = [_bin(file) if file.suffix == ".bin" else _idx(file) for file in files]
    return paired(arrays, label, lambda each: classes[int(each) - 1] if classes else each, classes)


def _idx(file: Path) -> Array:
    with _opened(file, 0) as content:
        zeros, kind, axes = HEADER.unpack(content.read(HEADER.size))
        shape = struct.unpack(f">{axes}I", content.read(4 * axes))
    if (zeros, kind) != (0, UINT8):
        raise ValueError(f"the first bytes of {file.name} are not those of an idx file of bytes")
    name = file.name.replace("t10k", "test")
    start = HEADER.size + 4 * axes
    return Array(file, name, shape, np.dtype(np.uint8), partial(_opened, file, start))


def _bin(file: Path) -> Array:
    """Return an array without a heading, whose pictures are in columns."""
    inner = STL10 if file.stem[-1] == "X" else ()
    shape = (file.stat().st_size // int(np.prod(inner)), *inner[::-1])
    return Array(file, file.stem, shape, np.dtype(np.uint8), partial(_opened, file, 0), bool(inner))


@contextmanager
def _opened(file: Path, start: int) -> Iterator[Any]:
    with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as content:
        content.read(start)
        yield content
