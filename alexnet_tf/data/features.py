"""What the frozen layers make of every picture, computed once and kept on disk.

A store is a folder ``KEY/`` whose name stands for everything the numbers depend on but the picture
itself, which is known by the SHA-256 of its file. It holds ``recipe.json`` (what KEY stands for),
``values`` (batch after batch of 64 pictures × views × the inputs of the first layer that is not
frozen) and ``index`` (for each batch the digests of its pictures and a checksum). A batch counts
once its index record is written.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from alexnet_tf.data.dataset import Row
from alexnet_tf.data.images import ImageError, load_batches
from alexnet_tf.errors import UserError
from alexnet_tf.system import signals as stopping
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import write_json
from alexnet_tf.system.locks import locked
from alexnet_tf.system.progress import progress
from alexnet_tf.variants import Variant
from alexnet_tf.weights.loading import Weights, fingerprint

# Batches are always this long and padded: the last bits of a convolution depend on the size of the
# batch and on the place in it, and stored features must not depend on what else was asked for.
BATCH = 64
RECORD = np.dtype([("digests", "S64", (BATCH,)), ("checksum", "<u4")])
# What of a variant's row does not change the output of its convolutions.
WITHOUT_EFFECT = ("name", "head", "fc_units", "dropout", "initial")


class FeatureStore:
    """The values in one folder ``directory/KEY/``: read by digest, filled by `fill`."""

    def __init__(
        self,
        directory: str | Path,
        row: Variant,
        resize: str,
        layer: str = "fc6",
        side: int | None = None,
        weights: Weights | None = None,
        mirror: bool = False,
        precision: str = "float32",
    ):
        """For the inputs of `layer`: the pool5 of fc6, flat and in float16, in both views if
        `mirror`; or the pictures of conv1, uint8 RGB and `side` pixels square."""
        self.layer, self.resize = layer, resize
        if layer == "conv1":
            self.row = replace(row, image_size=side)
            self.dtype, self.shape, self.views = np.dtype("u1"), (side, side, 3), 1
            recipe = {"side": side, "resized": row.resized, "resize": resize}
        else:
            shape = row.shape_before(layer)
            self.row, self.dtype, self.views = row, np.dtype("<f2"), 1 + mirror
            self.shape = (int(np.prod(shape)),) if layer == "fc6" else shape
            below = {name: weights[name] for name in row.conv_layers if name < layer}
            recipe = {
                "weights": fingerprint(below),
                "variant": {k: v for k, v in asdict(row).items() if k not in WITHOUT_EFFECT},
                "layer": layer,
                "resize": resize,
                "views": ["original", "mirror"][: self.views],
                "precision": precision,
                "batch": BATCH,
            }
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
        self.directory = Path(directory) / key
        self._batch_size = BATCH * self.views * math.prod(self.shape) * self.dtype.itemsize
        write_json(self.directory / "recipe.json", recipe)
        self._data, self._index = self.directory / "values", self.directory / "index"
        self._data.touch()
        self._index.touch()
        # Records of batches that need no second look: found to be whole, or written here.
        self._sound: dict[int, bytes] = {}
        self._open()

    def __contains__(self, row: Row) -> bool:
        return row.digest in self._slots

    def slots(self, rows: Sequence[Row]) -> np.ndarray:
        """Places of the rows' pictures in the store, int64 (rows,); KeyError for one it lacks."""
        return np.array([self._slots[row.digest] for row in rows], np.int64)

    def read(self, slots: np.ndarray, views: np.ndarray | int = 0) -> np.ndarray:
        """What is kept of the pictures at `slots`, as seen in `views` (1: mirrored): (n, …)."""
        return self._values[slots, views]

    def fill(
        self, rows: Sequence[Row], forward: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> dict[str, str]:
        """Compute what the store lacks of `rows`; return path → reason of pictures now unreadable.

        A file whose content is no longer that of its row counts as such. `forward` maps float32
        inputs (64, 227, 227, 3) to those of the layer; pictures need none. Stopped at any moment,
        the next call goes on with the batch that was under way; asked to stop, this one finishes it
        first. Raises UserError while another process fills the store, and NoRoom when the disk is
        full.
        """
        failed: dict[str, str] = {}
        with locked(self.directory), stopping.postponed():
            self._open()  # the process that had the lock before may have added to it
            # More than once only for pictures that have a copy: that one may be readable.
            while rows := [row for row in rows if row not in self and row.path not in failed]:
                failed |= self._fill(rows, forward)
                self._open()
        return failed

    def _fill(self, rows: Sequence[Row], forward) -> dict[str, str]:
        """Compute one copy of each picture; path → reason of those that could not be read."""
        paths = {row.digest: row.path for row in rows}
        batches = self._batches_to_do(paths)
        loaded = load_batches(
            ([paths[digest] for digest in b.values()] for b in batches.values()),
            self.row,
            self.resize,
            preprocess=self.layer != "conv1",
            digests={path: digest for digest, path in paths.items()},
        )
        failed = {}
        for left, (number, digests), pictures in zip(
            range(len(batches), 0, -1),
            batches.items(),
            progress(loaded, len(batches), "pictures" if forward is None else "features"),
        ):
            inputs = {}
            for (place, digest), picture in zip(digests.items(), pictures):
                if isinstance(picture, ImageError):
                    failed[paths[digest]] = picture.reason
                else:
                    (inputs[place],) = picture
            values = self._compute(inputs, forward)
            with room_for(self._data, left * self._batch_size):
                self._write(number, {place: digests[place] for place in inputs}, values)
            stopping.check()
        return failed

    def size(self, pictures: int) -> int:
        """Bytes that as many pictures more take on the disk."""
        return -(-pictures // BATCH) * self._batch_size

    def _open(self) -> None:
        """Map the data and find every picture in it, but for the batches that are not whole."""
        records = np.fromfile(self._index, RECORD)
        count = min(len(records), self._data.stat().st_size // self._batch_size)
        if count:
            shape = (count * BATCH, self.views, *self.shape)
            self._values = np.memmap(self._data, self.dtype, "r", shape=shape)
        self._slots: dict[str, int] = {}
        self._broken: dict[int, dict[int, str]] = {}
        self._batches = count
        for number, record in enumerate(records[:count]):
            digests = {place: d.decode() for place, d in enumerate(record["digests"]) if d}
            whole = self._values[number * BATCH : (number + 1) * BATCH]
            is_sound = self._sound.get(number) == record.tobytes()
            if is_sound or zlib.crc32(whole) == record["checksum"]:
                self._sound[number] = record.tobytes()
                self._slots |= {digest: number * BATCH + place for place, digest in digests.items()}
            else:
                self._broken[number] = digests

    def _batches_to_do(self, wanted: Collection[str]) -> dict[int, dict[int, str]]:
        """Batch number → place in the batch → digest: the broken ones whole, then new ones."""
        todo = {
            number: {place: digest for place, digest in digests.items() if digest in wanted}
            for number, digests in self._broken.items()
        }
        known = set(self._slots).union(*(digests.values() for digests in todo.values()))
        missing = [digest for digest in wanted if digest not in known]
        for start in range(0, len(missing), BATCH):
            number = self._batches + start // BATCH
            todo[number] = dict(enumerate(missing[start : start + BATCH]))
        return todo

    def _compute(self, inputs: dict[int, np.ndarray], forward) -> np.ndarray:
        """(64, views, …); zeros at the places without an input."""
        size = self.row.image_size
        batch = np.zeros((BATCH, size, size, 3), np.float32 if forward else np.uint8)
        for place, picture in inputs.items():
            batch[place] = picture
        if not forward:
            return batch[:, None]
        views = [batch, batch[:, :, ::-1]][: self.views]
        values = np.stack([forward(view).reshape(BATCH, *self.shape) for view in views], axis=1)
        limit = np.finfo(self.dtype).max
        if not np.abs(values).max() <= limit:  # so written, NaN is caught too
            raise UserError(
                f"these weights give values above {limit:.0f} or NaN below {self.layer}: they do "
                f"not fit the variant '{self.row.name}' or its preprocessing"
            )
        return values.astype(self.dtype)

    def _write(self, number: int, digests: dict[int, str], values: np.ndarray) -> None:
        """The data first, then the record that makes it count."""
        record = np.zeros((), RECORD)
        for place, digest in digests.items():
            record["digests"][place] = digest
        record["checksum"] = zlib.crc32(values)
        for path, content in ((self._data, values), (self._index, record)):
            with open(path, "r+b") as file:
                file.seek(number * content.nbytes)
                file.write(content.tobytes())
                file.flush()
                os.fsync(file.fileno())
        self._sound[number] = record.tobytes()
