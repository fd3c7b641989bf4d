"""A store on disk of the frozen layers' outputs for each picture, computed once.

A store is a folder ``KEY/``. KEY is the beginning of the SHA-256 of the recipe: everything that the
values depend on except the picture, which is identified by the SHA-256 of its file. The folder
contains batches of pictures × flips × the inputs of the first layer that is not frozen
(`batches.py`), and similar folders if several workers have each written a part.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.batches import BATCH, INDEX, Batches
from alexnet_tf.data.features.bytefloat import decode, encode
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_batches
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system import signals
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.locks import locked
from alexnet_tf.system.progress import progress
from alexnet_tf.variants import Variant
from alexnet_tf.weights import Weights, fingerprint

Forward = Callable[[np.ndarray], np.ndarray]

# The fields of a variant that do not affect the output of its convolutions.
WITHOUT_EFFECT = ("name", "head", "fc_units", "dropout", "initial")
# The names of the parts written by workers other than the chief, and the most pictures of a part.
PART, MOST = "worker-", 1 << 40


class FeatureStore:
    """The inputs of one `layer` for many pictures, found by the pictures' digests.

    Create one by `of_pictures` or `of_layer`; `open` creates it on the disk:

        store = FeatureStore.of_layer("data/features", variant, "short", weights).open()
        store.fill(pictures, forward)
        values = store.read(store.slots(pictures))
    """

    def __init__(
        self,
        directory: str | Path,
        recipe: dict[str, Any],
        variant: Variant,
        resize: str,
        layer: str,
        dtype: str,
        shape: tuple[int, ...],
        flips: int = 1,
    ):
        self.variant, self.resize, self.layer = variant, resize, layer
        self.dtype, self.shape, self.flips = np.dtype(dtype), shape, flips
        self._is_coded = self.dtype == np.uint8 and layer != "conv1"
        self.dtype_read = np.dtype(np.float16) if self._is_coded else self.dtype
        self._recipe = recipe
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
        self.directory = Path(directory) / key
        self._own = self._part(self.directory)
        self._parts = [self._own]

    @classmethod
    def of_pictures(
        cls, directory: str | Path, variant: Variant, resize: str, side: int
    ) -> FeatureStore:
        """Describe a store of conv1's inputs before preprocessing: uint8 RGB (side, side, 3)."""
        recipe = {"side": side, "resized": variant.scaled or variant.resized, "resize": resize}
        # Windows have the size of the network's input, whatever the size of the picture.
        size: dict[str, Any] = {"scaled" if variant.scaled else "image_size": side}
        square = replace(variant, **size)
        return cls(directory, recipe, square, resize, "conv1", "u1", (side, side, 3))

    @classmethod
    def of_layer(
        cls,
        directory: str | Path,
        variant: Variant,
        resize: str,
        weights: Weights,
        layer: str = "fc6",
        mirror: bool = False,
        precision: str = "float32",
    ) -> FeatureStore:
        """Describe a store of the inputs of `layer`, float16, flat from fc6 on.

        With `mirror` it holds both flips: the picture and its mirror image. For fc6 of a `scaled`
        variant it holds the maxima that all windows are sliced from, a byte each if relu leaves
        none below 0; for fc7 and fc8 the inputs for each window. `weights` contain at least the
        layers below, computed in `precision`.
        """
        fc_kernels, flips = variant.fc_kernels(1), 1 + mirror
        layers = (*variant.conv_layers, *fc_kernels)
        below = {name: weights[name] for name in layers if name < layer}
        without_effect = (*WITHOUT_EFFECT, "mirrored", *(() if variant.scaled else ("scaled",)))
        recipe = {
            "weights": fingerprint(below),
            "variant": {k: v for k, v in asdict(variant).items() if k not in without_effect},
            "layer": layer,
            "resize": resize,
            "views": ["original", "mirror"][:flips],
            "precision": precision,
            "batch": BATCH,
        }
        dtype = "<f2"
        shape: tuple[int, ...] = variant.shape_before(layer)
        if layer >= "fc6":
            shape = fc_kernels.get(layer, fc_kernels["fc8"])[:1]  # a linear head is fc8 alone
        if layer >= "fc6" and variant.scaled:
            shape = variant.maxima_shape if layer == "fc6" else (variant.windows, *shape)
        if layer == "fc6" and variant.scaled and variant.activation == "relu":
            dtype = recipe["dtype"] = "u1"
        return cls(directory, recipe, variant, resize, layer, dtype, shape, flips)

    def open(self, worker: int = 0) -> FeatureStore:
        """Create the folder if it is missing, map its values, and return the store itself. A
        complete store is only read, because its folder may be read-only. Each `worker` of a
        training writes its own part, and reads those of others if they are accessible."""
        own = self.directory / f"{PART}{worker}" if worker else self.directory
        self._own = self._part(own)
        with self._writing():
            self._own.create(self._recipe)
        self._own.map()
        folders = [self.directory, *sorted(self.directory.glob(f"{PART}*"))]
        others = (each for each in folders if each != own and (each / INDEX).is_file())
        self._parts = [self._own, *map(self._part, others)]
        return self

    def _part(self, folder: Path) -> Batches:
        return Batches(folder, self.dtype, (self.flips, *self.shape))

    def _slot(self, digest: str) -> int | None:
        """Return the position of a picture in the store; other workers' parts follow its own."""
        for number, part in enumerate(self._parts):
            slot = part.slot(digest)
            if slot is not None:
                return number * MOST + slot
        return None

    def __contains__(self, picture: Picture) -> bool:
        return self._slot(picture.digest) is not None

    def missing(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Return those of `pictures` that are not in the store."""
        return [picture for picture in pictures if picture not in self]

    def slots(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Return the positions of `pictures` in the store, int64 (n,); KeyError if absent."""
        slots = [self._slot(picture.digest) for picture in pictures]
        if None in slots:
            raise KeyError(pictures[slots.index(None)].digest)
        return np.array(slots, np.int64)

    @cached_property
    def _places(self) -> np.ndarray:
        """The rows and the columns of each window: (windows, 2, side)."""
        windows = map(self.variant.window, range(self.variant.windows))
        return np.array([[np.r_[rows], np.r_[columns]] for rows, columns in windows])

    @property
    def has_windows(self) -> bool:
        """Tell whether `read` returns single windows: for a scaled variant, from fc6 on."""
        return self.variant.scaled is not None and self.layer >= "fc6"

    def read(self, slots: Any, flips: Any = 0, windows: np.ndarray | None = None) -> np.ndarray:
        """Read the values (n, …) of the pictures at `slots`, in the given `flips` (1: mirrored),
        which a store of pictures computes itself; with `windows`, a number for each picture, only
        that window, flat."""
        if isinstance(slots, slice) or not (slots >= MOST).any():
            return self._read(self._own.values, slots, flips, windows)
        numbers, places = np.divmod(slots, MOST)
        flips = np.broadcast_to(flips, slots.shape)
        found = np.empty(0)
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            seen = None if windows is None else windows[rows]
            values = self._read(self._parts[number].values, places[rows], flips[rows], seen)
            if not found.size:
                found = np.empty((len(slots), *values.shape[1:]), values.dtype)
            found[rows] = values
        return found

    def _read(
        self, kept: np.ndarray, slots: Any, flips: Any, windows: np.ndarray | None
    ) -> np.ndarray:
        """Read, as `read` does, from the values `kept` in one part."""
        if self.layer == "conv1":
            pictures = kept[slots, 0]
            mirrored = np.broadcast_to(flips, slots.shape) == 1
            pictures[mirrored] = pictures[mirrored, :, ::-1]
            return pictures
        if windows is None:
            values = kept[slots, flips]
        elif self.layer > "fc6":
            values = kept[slots, flips, windows]
        else:
            slots, flips = (each[:, None, None] for each in np.broadcast_arrays(slots, flips))
            rows, columns = np.swapaxes(self._places[windows], 0, 1)
            values = kept[slots, flips, rows[:, :, None], columns[:, None]]
            values = values.reshape(len(slots), math.prod(self.variant.pool5_shape))
        return decode(values) if self._is_coded else values

    def fill(self, pictures: Sequence[Picture], forward: Forward | None = None) -> dict[str, str]:
        """Compute the missing values of `pictures`; return path → reason of the failed ones.

        A picture fails if its file has become unreadable or has changed. `forward` maps pictures,
        uint8 RGB (64, 227, 227, 3), to inputs of the layer, float32; a store of pictures needs
        none. If the process is killed, the next call continues with the unfinished batch; if it is
        asked to stop, it finishes that batch first. Raises UserError if another process is filling
        the store or if float16 cannot hold a value, and NoRoom if the disk is full.
        """
        failed: dict[str, str] = {}
        with self._writing(), locked(self._own.folder), signals.postponed():
            self._own.map()  # the previous holder of the lock may have added values
            # Repeated only for unreadable pictures with a copy, which may be readable.
            while pictures := [p for p in pictures if p not in self and p.path not in failed]:
                failed |= self._fill(pictures, forward)
                self._own.map()
        return failed

    def size(self, count: int) -> int:
        """Return the bytes that `count` more pictures take on the disk."""
        return self._own.size(count)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a refused write in the block into a RunError with advice."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise RunError(
                f"{self.directory}: cannot be written to ({error.strerror}), and lacks some of what"
                " is needed; name another folder with --features, in a training"
            ) from error

    def _fill(self, pictures: Sequence[Picture], forward: Forward | None) -> dict[str, str]:
        """Compute one copy of each picture; return path → reason of those that cannot be read."""
        paths = {picture.digest: picture.path for picture in pictures}
        batches = self._own.to_do(paths)
        wanted = ([paths[digest] for digest in batch.values()] for batch in batches.values())
        expected = {path: digest for digest, path in paths.items()}
        loaded = load_batches(wanted, self.variant, self.resize, digests=expected)
        bar = progress(loaded, len(batches), "features" if forward else "pictures")
        failed: dict[str, str] = {}
        written: Future[None] | None = None
        with ThreadPoolExecutor(1) as beside:  # a batch is written while the next is computed
            for done, ((number, digests), results) in enumerate(zip(batches.items(), bar)):
                inputs = {}
                for (place, digest), result in zip(digests.items(), results):
                    if isinstance(result, ImageError):
                        failed[paths[digest]] = result.reason
                    else:
                        (inputs[place],) = result
                values = self._compute(inputs, forward)
                known = {place: digests[place] for place in inputs}
                if written:
                    written.result()
                left = len(batches) - done
                written = beside.submit(self._write, number, known, values, left)
                signals.check()
            if written:
                written.result()
        return failed

    def _compute(self, inputs: dict[int, np.ndarray], forward: Forward | None) -> list[np.ndarray]:
        """Compute the values (64, …) of each flip of a batch, from `inputs` by position in it."""
        side = self.variant.picture_size
        batch = np.zeros((BATCH, side, side, 3), np.uint8)
        for place, picture in inputs.items():
            batch[place] = picture
        if not forward:
            return [batch]
        values = [forward(batch)]
        if self.flips > 1:
            # NumPy reverses whole pixels in half the time that it takes for single values.
            pixels = batch.view("V3")[:, :, ::-1]
            values.append(forward(np.ascontiguousarray(pixels).view(np.uint8)))
        return values

    def _write(
        self, number: int, digests: dict[int, str], values: list[np.ndarray], left: int
    ) -> None:
        """Convert and write a computed batch, one of so many that are `left`."""
        kept = np.empty((BATCH, len(values), *self.shape), self.dtype)
        for flip, each in enumerate(values):
            kept[:, flip] = self._converted(each.reshape(BATCH, *self.shape))
        with room_for(self._own.data, self._own.size(left * BATCH)):
            self._own.write(number, digests, kept)

    def _converted(self, values: np.ndarray) -> np.ndarray:
        """Convert what was computed to what is stored; UserError for values out of its range."""
        if self.layer == "conv1":
            return values
        limit = np.finfo(self.dtype_read).max
        if not max(values.max(), -values.min()) <= limit:  # written so that NaN is caught too
            raise UserError(
                f"these weights give values above {limit:.0f} or NaN below {self.layer}: they do "
                f"not fit the variant '{self.variant.name}' or its preprocessing"
            )
        values = values.astype(self.dtype_read)
        return encode(values) if self._is_coded else values
