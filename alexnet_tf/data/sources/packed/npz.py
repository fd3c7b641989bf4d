"""NumPy's .npz: x_train, y_train, x_test, y_test; train_images, train_labels; images, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from alexnet_tf.data.sources.packed.arrays import Array, paired
from alexnet_tf.data.sources.packed.importer import Contents
from alexnet_tf.errors import UserError
from alexnet_tf.system.zips import open_zip
from alexnet_tf.weights.formats.npy import read_header

FILES = r".+\.npz"
MOST_ARRAYS = 1000


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the pictures and labels in `files`; pickles are refused, never loaded."""
    arrays = []
    for file in files:
        with open_zip(file, MOST_ARRAYS) as archive:
            arrays += [_array(file, name) for name in archive.namelist()]
    return paired(arrays)


def _array(file: Path, name: str) -> Array:
    with _opened(file, name, 0) as content:
        shape, in_columns, dtype = read_header(content)
        start = content.tell()
    if dtype.hasobject or (in_columns and len(shape) > 1):
        kind = "is a pickle, which could run anything" if dtype.hasobject else "is in Fortran order"
        raise UserError(
            f"{file}: '{name}' {kind}, and is not read; save it as numbers or text, in C order"
        )
    name_in_file = f"{file.stem}/{name.removesuffix('.npy')}"
    return Array(file, name_in_file, shape, dtype, partial(_opened, file, name, start))


@contextmanager
def _opened(file: Path, name: str, start: int) -> Iterator[IO[bytes]]:
    with open_zip(file, MOST_ARRAYS) as archive, archive.open(name) as content:
        content.read(start)
        yield content
