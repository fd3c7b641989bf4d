"""Arrays of pixels and of labels, read row by row, and which of them belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from alexnet_tf.data.sources.manifest import MOST_NAMES, NoPictures
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# Unpacked bytes to bytes of the file: 1,000 for zeros, less than 50 for drawings; and the bytes
# that any file may have.
RATIO, ALWAYS_ALLOWED = 200, 1 << 20


@dataclass(frozen=True)
class Array:
    """An array in `file`, whose name says its split; `open` opens it at its first byte.

    In columns, each row is stored with its last axis first.
    """

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    open: Callable[[], AbstractContextManager[IO[bytes] | Any]]
    in_columns: bool = False

    def rows(self) -> Iterator[np.ndarray]:
        """Read all rows, one by one; EOFError if some are missing."""
        shape = self.shape[1:]
        size = math.prod(shape) * self.dtype.itemsize
        with self.open() as file:
            for number in range(self.shape[0]):
                content = file.read(size)
                if len(content) < size:
                    raise EOFError(f"it ends after {number:,} of {self.shape[0]:,}")
                row = np.frombuffer(content, self.dtype)
                yield row.reshape(shape[::-1]).T if self.in_columns else row.reshape(shape)
            file.read(1)  # at their end zips and gzip check their checksums

    def __str__(self) -> str:
        return f"'{printable(self.name)}' ({self.dtype}, {' × '.join(map(str, self.shape))})"


def paired(
    arrays: Sequence[Array], name_of: Callable[[str], str] = str, classes: Sequence[str] = ()
) -> Contents:
    """Return the pictures among `arrays`, with labels that `name_of` names.

    Raises NoPictures if there are none, and UserError if it is not clear what belongs together.
    """
    sections = []
    for each in filter(_are_pictures, arrays):
        part = part_named(each.name)
        same = [other for other in arrays if part_named(other.name) == part]
        labels = [other for other in same if _are_labels(other) and other.shape[0] == each.shape[0]]
        if len([*filter(_are_pictures, same)]) > 1 or len(labels) > 1:
            raise UserError(
                f"{each.file}: which labels belong to which pictures? There are "
                f"{', '.join(map(str, same))}; keep one array of each for each split"
            )
        size = each.file.stat().st_size
        if math.prod(each.shape) > max(RATIO * size, ALWAYS_ALLOWED):
            raise UserError(f"{each.file}: is damaged: its {size:,} bytes cannot hold {each}")
        sections += [_section(each, label, part, name_of) for label in labels]
    if sections:
        return Contents(sections, classes)
    raise NoPictures(
        f"{arrays[0].file}: holds no pictures with labels, such as x_train (uint8, count × height "
        f"× width, or with channels) and y_train, but {', '.join(map(str, arrays[:MOST_NAMES]))}; "
        "if the labels are in another file, name the folder of both"
    )


def _are_pictures(array: Array) -> bool:
    inner = array.shape[1:]
    has_channels = len(inner) == 3 and (inner[-1] in (1, 3, 4) or inner[0] in (1, 3))
    return array.dtype == np.uint8 and (len(inner) == 2 or has_channels) and 0 not in inner


def _are_labels(array: Array) -> bool:
    return len(array.shape) > 0 and array.shape[1:] in ((), (1,)) and array.dtype.kind in "iufUSb"


def _section(
    pictures: Array, labels: Array, part: str | None, name_of: Callable[[str], str]
) -> Section:
    def read() -> Iterator[Record]:
        for number, (pixels, label) in enumerate(zip(pictures.rows(), labels.rows())):
            if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
                pixels = pixels.transpose(1, 2, 0)
            yield f"{number:06}.png", name_of(_text(label.item())), pixels

    return Section(pictures.file, part, read, pictures.shape[0])


def _text(label: Any) -> str:
    if isinstance(label, bytes):
        return label.decode()
    return label if isinstance(label, str) else f"{label:g}"
