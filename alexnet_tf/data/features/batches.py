"""Batches of arrays in a folder, written atomically, and found by the pictures' digests.

The folder contains ``recipe.json`` (everything that the values depend on except the pictures),
``values`` (batch after batch, each of 64 pictures) and ``index`` (for each batch the digests of its
pictures and a CRC-32 of its values). A batch is valid once its index record is written.
"""

import math
import os
import zlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_json, write_json
from alexnet_tf.system.processor import processors

# Batches are padded to this size: the last bits of a convolution depend on the size of the batch
# and the position in it, and stored features must not depend on which others were requested.
BATCH = 64
RECORD = np.dtype([("digests", "S64", (BATCH,)), ("checksum", "<u4")])
# The file of a folder that is created last.
INDEX = "index"
# The file that identifies a folder: a recipe with at least one of these sets of entries.
RECIPE = "recipe.json"
MARKS = ({"side", "resized", "resize"}, {"weights", "variant", "layer", "views"})


def is_feature_store(path: str | Path) -> bool:
    """Tell whether the folder `path` is a store, or contains only stores, whatever its name."""
    folder = Path(path)
    if _is_recipe(folder / RECIPE):
        return True
    try:
        inside = [each for each in folder.iterdir() if not each.name.startswith(".")]
    except OSError:
        return False
    return bool(inside) and all(_is_recipe(each / RECIPE) for each in inside)


def _is_recipe(path: Path) -> bool:
    try:
        recipe = read_json(path)
    except UserError:
        return False
    return isinstance(recipe, dict) and any(marks <= set(recipe) for marks in MARKS)


def stored_digests(folder: str | Path) -> set[str]:
    """Return the digests of the pictures in all stores in `folder`: they were readable."""
    stores = [path.parent for path in Path(folder).glob(f"*/{RECIPE}") if _is_recipe(path)]
    paths = [path for store in stores for path in (*store.glob(INDEX), *store.glob(f"*/{INDEX}"))]
    digests = (np.unique(np.fromfile(path, RECORD)["digests"]) for path in paths)
    return {digest.decode(errors="replace") for each in digests for digest in each}


class Batches:
    """The `values` of pictures in one folder, (pictures, …), once they are mapped."""

    def __init__(self, folder: Path, dtype: np.dtype, shape: tuple[int, ...]):
        """Describe the existing or future `folder`, with values of `shape` for each picture."""
        self.folder, self.data = folder, folder / "values"
        self._index = folder / INDEX
        self._dtype, self._shape = dtype, shape
        self._batch_size = BATCH * math.prod(shape) * dtype.itemsize
        self._slots: dict[str, int] = {}
        self._is_mapped = False
        # Index records of batches that are verified, or were written here.
        self._sound: dict[int, bytes] = {}

    def create(self, recipe: dict[str, Any]) -> None:
        """Create the folder and its files where they are missing."""
        if not _is_recipe(self.folder / RECIPE):
            write_json(self.folder / RECIPE, recipe)
        for path in (self.data, self._index):
            if not path.is_file():
                path.touch()

    def map(self) -> None:
        """Map the values and index every picture in valid batches."""
        records = np.fromfile(self._index, RECORD)
        self._count = min(len(records), self.data.stat().st_size // self._batch_size)
        self.values = np.empty((0, *self._shape), self._dtype)
        if self._count:
            shape = (self._count * BATCH, *self._shape)
            self.values = np.memmap(self.data, self._dtype, "r", shape=shape)
        records = records[: self._count]
        self._slots, self._broken, self._is_mapped = {}, {}, True
        with ThreadPoolExecutor(processors()) as pool:
            are_sound = pool.map(self._is_sound, range(self._count), records)
            for number, (record, is_sound) in enumerate(zip(records, are_sound)):
                digests = {place: d.decode() for place, d in enumerate(record["digests"]) if d}
                if is_sound:
                    self._sound[number] = record.tobytes()
                    first = number * BATCH
                    self._slots |= {digest: first + place for place, digest in digests.items()}
                else:
                    self._broken[number] = digests

    def _is_sound(self, number: int, record: np.void) -> bool:
        whole = self.values[number * BATCH : (number + 1) * BATCH]
        known = self._sound.get(number) == record.tobytes()
        return known or zlib.crc32(whole.data) == record["checksum"]

    def slot(self, digest: str) -> int | None:
        """Return the position of a picture's values; None if there are none."""
        if not self._is_mapped:
            self.map()
        return self._slots.get(digest)

    def size(self, count: int) -> int:
        """Return the bytes that `count` more pictures take."""
        return -(-count // BATCH) * self._batch_size

    def to_do(self, wanted: Collection[str]) -> dict[int, dict[int, str]]:
        """Plan which digests of `wanted` to write: batch number → position in the batch → digest.
        Invalid batches come first, each with the wanted pictures that it held, then new ones."""
        todo = {
            number: {place: digest for place, digest in digests.items() if digest in wanted}
            for number, digests in self._broken.items()
        }
        known = set(self._slots).union(*(digests.values() for digests in todo.values()))
        missing = [digest for digest in wanted if digest not in known]
        for start in range(0, len(missing), BATCH):
            number = self._count + start // BATCH
            todo[number] = dict(enumerate(missing[start : start + BATCH]))
        return todo

    def write(self, number: int, digests: dict[int, str], values: np.ndarray) -> None:
        """Write a batch: first its values, then the index record that makes it valid."""
        record = np.zeros((), RECORD)
        for place, digest in digests.items():
            record["digests"][place] = digest
        record["checksum"] = zlib.crc32(values.data)
        for path, content in ((self.data, values), (self._index, record)):
            with open(path, "r+b") as file:
                file.seek(number * content.nbytes)
                file.write(content.tobytes())
                file.flush()
                os.fsync(file.fileno())
        self._sound[number] = record.tobytes()
