"""NumPy's .npz: x_train, y_train, x_test, y_test; images, labels; or a .npy for each array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO

from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.packed.arrays import Array, paired
from alexnet_tf.data.sources.packed.importer import Contents
from alexnet_tf.system.zips import open_zip
from alexnet_tf.weights.formats.npy import read_header

FILES = r".+\.np[yz]"
MOST_ARRAYS = 1000


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the pictures and labels in `files`; pickles are refused, never loaded."""
    return paired([_array(file, name) for file in files for name in _names(file)], label)


def _names(file: Path) -> list[str]:
    """List the arrays in `file`; the one of a .npy is called ""."""
    if file.suffix == ".npy":
        return [""]
    with open_zip(file, MOST_ARRAYS) as archive:
        return archive.namelist()


def _array(file: Path, name: str) -> Array:
    with _opened(file, name, 0) as content:
        shape, in_columns, dtype = read_header(content)
        start = content.tell()
    if dtype.hasobject or (in_columns and len(shape) > 1):
        kind = "is a pickle, which could run anything" if dtype.hasobject else "is in Fortran order"
        raise NoPictures(
            f"{file}: '{name or file.name}' {kind}, and is not read; save it as numbers or text, "
            "in C order"
        )
    name_in_file = "/".join(filter(None, (file.stem, name.removesuffix(".npy"))))
    return Array(file, name_in_file, shape, dtype, partial(_opened, file, name, start))


@contextmanager
def _opened(file: Path, name: str, start: int) -> Iterator[IO[bytes]]:
    whole = open_zip(file, MOST_ARRAYS) if name else nullcontext()
    with whole as archive, archive.open(name) if archive else open(file, "rb") as content:
        content.read(start)
        yield content
