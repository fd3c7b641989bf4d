"""Caffe's LMDB: data.mdb, each value of which is a Datum, a picture and its label.

Read here and not by the package lmdb, which trusts the pages of a file: a damaged one ends the
process. The layout is that of mdb.c (LMDB 0.9, format version 1) on 64 bits, little-endian.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from alexnet_tf.data.images.contents import MAX_BYTES
from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section, part_of
from alexnet_tf.errors import BadFile
from alexnet_tf.weights.formats.protobuf import last, read_message

FILES = r"data\.mdb"
# A page begins with its number, padding, flags, and the bounds of its free space (MDB_page).
PAGE, BRANCH, LEAF, OVERFLOW = struct.Struct("<QHHHH"), 1, 2, 4
# MDB_meta, on the first two pages: magic, version, address and size of the map; then two MDB_db,
# the first with the size of a page, the second that of the records: flags, depth, numbers of
# pages, entries and the root; last page and transaction.
META = struct.Struct("<IIQQ" + "IHHQQQQQ" * 2 + "QQ")
MAGIC, VERSION, NO_PAGE, DEEPEST = 0xBEEFC0DE, 1, (1 << 64) - 1, 32
# MDB_node: size of the value, or number of a page, in two or three parts; flags; size of the key.
NODE, IN_OVERFLOW = struct.Struct("<HHHH"), 1
# Fields of a Datum (caffe.proto).
DATUM = {1: "channels", 2: "height", 3: "width", 4: "data", 5: "label", 7: "encoded"}
NEGATIVE = 1 << 31  # a label of int32; below 0 it is none
# Length of a key and axes of a picture by Caffe's convert_cifar_data.cpp, which keeps RGB; others
# have OpenCV's BGR.
CIFAR = 5, [3, 32, 32]


class _Database(NamedTuple):
    """An open file, the size of its pages, and its tree of records."""

    file: BinaryIO
    page_size: int
    depth: int
    entries: int
    root: int

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of the keys. Raises ValueError for damaged pages."""
        seen: set[int] = set()
        ahead = [(self.root, self.depth)] if self.root != NO_PAGE else []
        while ahead:
            number, level = ahead.pop()
            page = self._read(number * self.page_size, self.page_size)
            _, _, flags, lower, _ = PAGE.unpack_from(page)
            if number in seen or not flags & (LEAF if level == 1 else BRANCH):
                raise ValueError(f"page {number} is damaged")
            seen.add(number)
            nodes = struct.unpack_from(f"<{max(0, lower - PAGE.size) // 2}H", page, PAGE.size)
            if level == 1:
                yield from (self._item(page, node) for node in nodes)
            else:
                heads = [NODE.unpack_from(page, node) for node in reversed(nodes)]
                ahead += [(low | high << 16 | top << 32, level - 1) for low, high, top, _ in heads]

    def _item(self, page: bytes, node: int) -> tuple[bytes, bytes]:
        low, high, flags, key_size = NODE.unpack_from(page, node)
        start, size = node + NODE.size + key_size, low | high << 16
        key = page[node + NODE.size : start]
        if flags & ~IN_OVERFLOW or size > MAX_BYTES:
            raise ValueError(f"the record {key!r} is damaged, or none of Caffe's")
        if not flags:
            return key, page[start : start + size]
        (number,) = struct.unpack_from("<Q", page, start)
        return key, self._read(number * self.page_size + PAGE.size, size)

    def _read(self, start: int, size: int) -> bytes:
        self.file.seek(start)
        content = self.file.read(size)
        if len(content) < size:
            raise EOFError("it ends within a record")
        return content


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Count the records in `files`, of which the first has to be a Datum."""
    sections = []
    for file in files:
        with open(file, "rb") as content:
            database = _open(content)
            key, value = next(database.items(), (b"", b""))
            if isinstance(_record(key, value)[2], str):
                raise NoPictures(f"{file}: is LMDB, but its values are no Datum of a picture")
        sections.append(Section(file, part_of(file), partial(_records, file), database.entries))
    return Contents(sections)


def _open(file: BinaryIO) -> _Database:
    """Read the newer of both meta pages."""
    metas, page_size = [], 0
    for _ in range(2):
        file.seek(page_size + PAGE.size)
        magic, version, _, _, size, *_, depth, _, _, _, entries, root, _, transaction = META.unpack(
            file.read(META.size)
        )
        if (magic, version) == (MAGIC, VERSION):
            metas.append((transaction, _Database(file, size, depth, entries, root)))
            page_size = size
    if not metas or not 256 <= page_size <= 1 << 16:
        raise ValueError("the first bytes are not those of an LMDB of version 1")
    _, newest = max(metas, key=lambda meta: meta[0])
    if newest.depth > DEEPEST:
        raise ValueError("its tree is damaged")
    return newest


def _records(file: Path) -> Iterator[Record]:
    with open(file, "rb") as content:
        for key, value in _open(content).items():
            yield _record(key, value)


def _record(key: bytes, value: bytes) -> Record:
    name = str(key, "utf-8", "replace")
    try:
        datum = read_message(memoryview(value), DATUM, 2 * len(DATUM))
        label = last(datum["label"], 0)
        return name, str(label) if label < NEGATIVE else "", _picture(datum, len(key))
    except (BadFile, IndexError, TypeError, ValueError) as error:
        return name, "", f"is no Datum of a picture: {error}"


def _picture(datum: dict[str, list[Any]], key_size: int) -> bytes | np.ndarray:
    """Return an encoded picture as it is, and pixels (channels, h, w) as RGB (h, w, channels)."""
    data = bytes(memoryview(last(datum["data"], b"")))
    if last(datum["encoded"]):
        return data
    axes = [last(datum[name], 0) for name in ("channels", "height", "width")]
    if axes[0] not in (1, 3) or 0 in axes:
        raise ValueError(f"{axes[0]} × {axes[1]} × {axes[2]} numbers")
    pixels = np.frombuffer(data, np.uint8).reshape(axes).transpose(1, 2, 0)
    return pixels if (key_size, axes) == CIFAR else pixels[..., ::-1]
