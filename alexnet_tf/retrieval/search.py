"""Image retrieval by the nearest fc7 (Krizhevsky 2012, section 6.1, figure 4).

An index is a folder: ``index.json`` names its network and precision, ``pictures.sha256`` lists its
pictures in the format of `sha256sum`, a store holds their fc7 in float16, and ``codes-BITS.npz``
hold short codes of these.
"""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.images.contents import ImageError, absolute
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.retrieval.activations import activation_store, compute
from alexnet_tf.retrieval.codes import (
    FEWEST,
    MOST,
    Codes,
    measure_recall,
    random_encoder,
    read_codes,
    smallest,
    train_encoder,
    write_codes,
)
from alexnet_tf.system.files import read_json, read_text, write_json, write_text
from alexnet_tf.system.locks import locked, locked_beside
from alexnet_tf.system.processor import FLOAT32, PRECISIONS

LAYER = "fc7"
# Pictures compared at a time with one query: 1 MB of fc7, which fits the processor's cache; and
# with several queries, which are multiplied faster in larger blocks.
BLOCK, LARGE_BLOCK = 64, 1024
# Candidates whose exact distances are recomputed, relative to the number of results.
SPARE = 2
# Held-out pictures on which the recall of codes is measured.
TESTED = 200


class Index:
    """Index of pictures in `directory`, built with the network of `engine`; keyed by their digests.

    All fc7, those of queries included, are computed in the `precision` of the machine that created
    the index; None: not recorded, because an earlier version made it. A missing index is created if
    `create`. Raises UserError if it is missing otherwise, belongs to another network, or if the
    folder holds something else.
    """

    def __init__(self, directory: str | Path, engine: Engine, create: bool = False):
        self.directory, self.engine = Path(directory), engine
        self._about, self._list = (self.directory / n for n in ("index.json", "pictures.sha256"))
        with locked_beside(self.directory, wait=True) if create else nullcontext():
            about = read_json(self._about) if self._about.is_file() else {}
            if not isinstance(about, dict):
                about = {"made_by": "something else"}
            if about:
                kept = about.get("precision")
                self.precision = kept if kept in PRECISIONS else None
            else:
                self.precision = engine.fastest_precision(LAYER) if create else FLOAT32
            self._store = activation_store(engine, self.directory, LAYER, "<f2", self.precision)
            self._open(about, create)
        self._store.open()
        self._names = _read_names(self._list)
        self._refresh()

    def __len__(self) -> int:
        return len(self.paths)

    def add(self, pictures: Sequence[Picture]) -> list[ImageError]:
        """Add those of `pictures` that the index lacks; return those that cannot be read. If the
        process is killed, the next call resumes."""
        with locked(self.directory):
            self._names = _read_names(self._list)  # another process may have added pictures
            names = {picture.digest: absolute(picture.path) for picture in pictures}
            if names.items() - self._names.items():
                self._names |= names
                lines = (f"{digest}  {path}\n" for digest, path in self._names.items())
                write_text(self._list, "".join(lines))
            failed = compute(
                self.engine, self._store, self._store.missing(pictures), self.precision
            )
        self._refresh()
        return failed

    def values(self, part: slice | np.ndarray) -> np.ndarray:
        """Read fc7 of some of the pictures, float32 (n, units)."""
        return self._store.read(self._slots[part]).astype(np.float32)

    def nearest(
        self, queries: np.ndarray, top: int, codes: Codes | None = None
    ) -> list[list[tuple[str, float]]]:
        """Find the `top` pictures nearest to each fc7 of `queries` (n, units): path and distance.
        With `codes`, only their shortlist is searched: faster, but approximate."""
        queries = queries.astype(np.float16).astype(np.float32)  # as stored in the index
        if codes:
            candidates = [codes.shortlist(query, top) for query in queries]
        else:
            candidates = [smallest(far, SPARE * top) for far in self.distances(queries)]
        found = []
        for query, numbers in zip(queries, candidates):
            distances = np.linalg.norm(self.values(numbers) - query, axis=1)
            best = np.argsort(distances, kind="stable")[:top]
            found.append([(self.paths[numbers[each]], float(distances[each])) for each in best])
        return found

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Compute the distance of each picture's fc7 to each query (n, units): float32 (n, index),
        inexact in the last bits, where squares nearly cancel."""
        squares, end = np.square(queries).sum(axis=1), self._slots.max() + 1
        block = BLOCK if len(queries) == 1 else LARGE_BLOCK
        found = np.empty((len(queries), end), np.float32)
        for start in range(0, end, block):
            part = slice(start, min(start + block, end))
            values = widened(self._store.read(part))
            own = np.einsum("ij,ij->i", values, values)
            found[:, part] = own + squares[:, None] - 2 * (queries @ values.T)
        return np.sqrt(np.maximum(found[:, self._slots], 0))

    def codes(self, bits: int) -> Codes:
        """Return codes of `bits` for exactly these pictures, loaded from the index or trained now;
        UserError for fewer than `FEWEST`."""
        if len(self) < FEWEST:
            raise UserError(
                f"{self.directory}: has {len(self)} pictures, and codes take {FEWEST} or more; "
                "leave --bits out"
            )
        path = self.directory / f"codes-{bits}.npz"
        codes = read_codes(path, self._key)
        if not codes:
            codes = self._make_codes(bits)
            write_codes(path, self._key, codes)
        return codes

    def _open(self, about: dict[str, Any], create: bool) -> None:
        """Check that the index belongs to this network, or create it."""
        key = self._store.directory.name
        if about:
            if about.get("store") != key:
                raise UserError(
                    f"{self.directory}: was made by another network than {self.engine.source}, by "
                    f"{about.get('made_by')}; name that with --run or --weights, or another --index"
                )
            return
        if not create:
            raise UserError(f"{self.directory}: holds no index; --data DATA makes one of pictures")
        if any(self.directory.glob("[!.]*")):
            raise UserError(
                f"{self.directory}: holds something else than an index; give another --index"
            )
        made_by = str(self.engine.source.absolute())
        write_json(self._about, {"made_by": made_by, "store": key, "precision": self.precision})

    def _refresh(self) -> None:
        """Update the list of pictures whose fc7 is stored."""
        pictures = [Picture(path, 0, digest) for digest, path in self._names.items()]
        found = [picture for picture in pictures if picture in self._store]
        self.paths, self._slots = [each.path for each in found], self._store.slots(found)
        self._key = hashlib.sha256("".join(each.digest for each in found).encode()).hexdigest()

    def _make_codes(self, bits: int) -> Codes:
        shuffled = np.random.default_rng(0).permutation(len(self))
        tested = shuffled[: min(TESTED, len(self) // 5)]
        values = self.values(shuffled[len(tested) :][:MOST])
        encoders = train_encoder(values, bits), random_encoder(values, bits)
        starts = range(0, len(self), LARGE_BLOCK)
        blocks = [slice(start, start + LARGE_BLOCK) for start in starts]
        packed = [
            np.concatenate([encoder.encode(self.values(block)) for block in blocks])
            for encoder in encoders
        ]
        distances = self.distances(self.values(tested))
        recalls = [measure_recall(each, tested, distances) for each in packed]
        return Codes(encoders[0], packed[0], *recalls)


def _read_names(path: Path) -> dict[str, str]:
    """Read the digest → path of the pictures; {} if nothing has been indexed yet."""
    lines = read_text(path).splitlines() if path.is_file() else []
    return {digest: name for digest, _, name in (line.partition("  ") for line in lines)}


def widened(values: np.ndarray) -> np.ndarray:
    """Convert finite float16 to float32, as `astype` does, in a sixth of its time."""
    bits = values.view(np.int16).astype(np.int32)
    bits <<= 13  # aligns exponent and mantissa with those of float32
    bits &= ~0x70000000  # clears the copies of the sign bit
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)  # corrects the exponent's bias, from 15 to 127
    return wide
