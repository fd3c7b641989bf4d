"""Arrays of pixels and of labels, read row by row, and which of them belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from alexnet_tf.data.sources.headings import plain
from alexnet_tf.data.sources.layouts import MASK_WORDS
from alexnet_tf.data.sources.manifest import MOST_NAMES, NoPictures
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section
from alexnet_tf.data.sources.split_names import part_named, words
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# Unpacked bytes to bytes of the file: 1,000 for zeros, less than 50 for drawings; and the bytes
# that any file may have.
RATIO, ALWAYS_ALLOWED = 200, 1 << 20
# The shortest side of pictures that could be something else: in one row, or not of bytes.
SHORTEST = 16


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

    @property
    def part(self) -> str | None:
        return part_named(self.name)

    @property
    def picture(self) -> tuple[int, ...] | None:
        """The shape of each picture, (h, w) or with channels; None if it holds no pictures."""
        inner = self.shape[1:]
        is_flat = len(inner) == 1 and math.isqrt(inner[0]) ** 2 == inner[0]
        if is_flat:
            inner = (math.isqrt(inner[0]),) * 2
        has_channels = len(inner) == 3 and (inner[-1] in (1, 3, 4) or inner[0] in (1, 3))
        is_shaped = math.prod(inner) > 1 and (len(inner) == 2 or has_channels)
        if not is_shaped or {*words(self.name)} & MASK_WORDS:
            return None
        is_clear = self.dtype == np.uint8 and not is_flat
        is_large = self.dtype.kind in "uif" and sorted(inner)[-2] >= SHORTEST
        return inner if is_clear or is_large else None

    def labels(self, count: int) -> int:
        """Rank how well this labels `count` pictures, fractions last; 0 for not at all."""
        inner = self.shape[1:]
        if self.dtype.kind not in "iufUSb" or self.shape[:1] != (count,) or len(inner) > 3:
            return 0
        if math.prod(inner) == 1:
            return 1 if self.dtype.kind == "f" else 3
        is_one_hot = len(inner) == 1 and self.dtype.kind in "iufb" and not self.picture
        return 2 if is_one_hot else 0

    def __str__(self) -> str:
        return f"'{printable(self.name)}' ({self.dtype}, {' × '.join(map(str, self.shape))})"


def paired(
    arrays: Sequence[Array],
    label: str | None,
    name_of: Callable[[str], str] = str,
    classes: Sequence[str] = (),
) -> Contents:
    """Return the pictures among `arrays`, with their labels, or those called `label`.

    `name_of` names a label; without it, an array of as many texts as there are classes may. Raises
    NoPictures if there are none, and UserError if it is not clear what belongs together.
    """
    sections = []
    pictures = [each for each in arrays if each.picture]
    counts = {each.shape[0] for each in pictures}
    texts = (each for each in arrays if each.dtype.kind in "SU" and len(each.shape) == 1)
    if names := next((each for each in texts if each.shape[0] not in counts), None):
        classes = [_text(names, row) for row in names.rows()]
        name_of = lambda number: classes[int(number)]  # noqa: E731
    for each in pictures:
        same = [other for other in arrays if other.part == each.part]
        ranks = {other: other.labels(each.shape[0]) for other in same if other is not each}
        if label:
            ranks = {o: r for o, r in ranks.items() if plain(o.name).endswith(plain(label))}
        best = max(ranks.values(), default=0)
        labels = [other for other in ranks if ranks[other] == best > 0]
        if len([o for o in same if o.picture]) > 1 or len(labels) > 1:
            raise UserError(
                f"{each.file}: which labels belong to which pictures? There are "
                f"{', '.join(map(str, same))}; keep one array of each for each split, or name the "
                "labels with --label"
            )
        size = each.file.stat().st_size
        if math.prod(each.shape) * each.dtype.itemsize > max(RATIO * size, ALWAYS_ALLOWED):
            raise UserError(f"{each.file}: is damaged: its {size:,} bytes cannot hold {each}")
        sections += [_section(each, other, name_of) for other in labels]
    if not sections:
        raise NoPictures(
            f"{arrays[0].file}: holds no pictures with labels, such as x_train (uint8, count × "
            "height × width, or with channels) and y_train, but "
            f"{', '.join(map(str, arrays[:MOST_NAMES]))}; if the labels are in another file, name "
            "the folder of both"
        )
    return Contents(sections, classes, label or "")


def _section(pictures: Array, labels: Array, name_of: Callable[[str], str]) -> Section:
    def read() -> Iterator[Record]:
        scale = _scale(pictures)
        for number, (pixels, label) in enumerate(zip(pictures.rows(), labels.rows())):
            pixels = pixels.reshape(pictures.picture)
            if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
                pixels = pixels.transpose(1, 2, 0)
            if pixels.dtype != np.uint8:
                pixels = np.rint(pixels * scale).astype(np.uint8)
            text = _text(labels, label)
            yield f"{number:06}.png", text if labels.dtype.kind in "SU" else name_of(text), pixels

    return Section(pictures.file, pictures.part, read, pictures.shape[0])


def _scale(pictures: Array) -> int:
    """Return what makes pixels of 0 to 255; UserError if that is unknown."""
    if pictures.dtype == np.uint8:
        return 1
    ranges = [(row.min(), row.max()) for row in pictures.rows()]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if not 0 <= low <= high <= 255:
        raise UserError(
            f"{pictures.file}: {pictures} holds numbers from {low:g} to {high:g}, where pixels are "
            "0 to 255, or fractions of 0 to 1; write it anew as uint8"
        )
    return 255 if pictures.dtype.kind == "f" and high <= 1 else 1


def _text(labels: Array, row: np.ndarray) -> str:
    """Return the label in a row, or the number of the only 1 in it; UserError if it has more."""
    hot = np.flatnonzero(row) if row.size > 1 else [None]
    if len(hot) != 1:
        raise UserError(
            f"{labels.file}: {labels} has {len(hot)} labels for a picture; this program learns one "
            "class for each picture, which --label may name"
        )
    label = row.item() if row.size == 1 else hot[0]
    if isinstance(label, bytes):
        return label.decode()
    return label if isinstance(label, str) else f"{label:g}"
