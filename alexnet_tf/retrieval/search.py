"""Pictures that look alike: those with the nearest fc7 (Krizhevsky 2012, section 6.1, figure 4).

An index is a folder: ``index.json`` says by which network it was made and in which precision,
``pictures.sha256`` names its pictures as `sha256sum` does, a store holds fc7 of each in float16,
and ``codes-BITS.npz`` are short codes of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.images.contents import absolute
from alexnet_tf.data.images.preprocessing import ImageError
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.retrieval.activations import activation_store, compute
from alexnet_tf.retrieval.codes import (
    FEWEST,
    MOST,
    Codes,
    Encoder,
    measure_recall,
    random_encoder,
    read_codes,
    smallest,
    train_encoder,
    write_codes,
)
from alexnet_tf.system.files import read_json, read_text, write_json, write_text
from alexnet_tf.system.locks import locked
from alexnet_tf.system.processor import FLOAT32, PRECISIONS

LAYER = "fc7"
# Pictures compared with one query at a time: 1 MB of fc7, which stays near the processor; and with
# several, which are multiplied faster in larger blocks.
BLOCK, LARGE_BLOCK = 64, 1024
# Of so many more than are asked for the distances are computed anew, to the last bit.
SPARE = 2
# So many pictures, which codes are not trained on, show how good these are.
TESTED = 200


class Index:
    """The index in `directory`, made by the network of `engine`, for pictures known by digests.

    All fc7 in it, and what it is asked for, are computed in the `precision` of the machine that
    began it; None: an index of an earlier version, which does not say that. Without one there, it
    is begun if `create`. Raises UserError where there is none, or one of another network, or a
    folder of something else.
    """

    def __init__(self, directory: str | Path, engine: Engine, create: bool = False):
        self.directory, self.engine = Path(directory), engine
        self._about, self._list = (self.directory / n for n in ("index.json", "pictures.sha256"))
        about = read_json(self._about) if self._about.is_file() else None
        if about:
            told = about.get("precision") if isinstance(about, dict) else None
            self.precision = told if told in PRECISIONS else None
        else:
            self.precision = engine.fastest_precision(LAYER) if create else FLOAT32
        self._store = activation_store(engine, self.directory, LAYER, "<f2", self.precision)
        self._open(about, create)
        self._store.open()
        self._names = _read_names(self._list)
        self._look()

    def __len__(self) -> int:
        return len(self.paths)

    def add(self, pictures: Sequence[Picture]) -> list[ImageError]:
        """Add what the index lacks of `pictures`; return those that cannot be read.

        Killed at any moment, the next call goes on.
        """
        with locked(self.directory):
            self._names = _read_names(self._list)  # to which another process may have added
            names = {picture.digest: absolute(picture.path) for picture in pictures}
            if names.items() - self._names.items():
                self._names |= names
                lines = (f"{digest}  {path}\n" for digest, path in self._names.items())
                write_text(self._list, "".join(lines))
            failed = compute(
                self.engine, self._store, self._store.missing(pictures), self.precision
            )
        self._look()
        return failed

    def values(self, part: slice | np.ndarray) -> np.ndarray:
        """Read fc7 of a part of the pictures, float32 (n, units)."""
        return self._store.read(self._slots[part]).astype(np.float32)

    def nearest(
        self, queries: np.ndarray, top: int, codes: Codes | None = None
    ) -> list[list[tuple[str, float]]]:
        """Find the `top` pictures nearest to each fc7 of `queries` (n, units): path and distance.

        With `codes`, of the shortlist that these give: sooner, but not always the nearest.
        """
        queries = queries.astype(np.float16).astype(np.float32)  # as the index has them
        if codes:
            candidates = [codes.shortlist(query, top) for query in queries]
        else:
            candidates = [smallest(far, SPARE * top) for far in self.distances(queries)]
        return [self._in_order(*each, top) for each in zip(queries, candidates)]

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Compute how far fc7 of each picture is from each query (n, units): float32 (n, index).

        Exact but for the last bits, of squares that nearly cancel.
        """
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
        """Return codes of `bits` for all pictures: those kept here, or else trained now.

        They are kept for exactly these pictures. Raises UserError for fewer than `FEWEST`.
        """
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

    def _in_order(
        self, query: np.ndarray, candidates: np.ndarray, top: int
    ) -> list[tuple[str, float]]:
        values = self.values(candidates)
        distances = np.linalg.norm(values - query, axis=1)
        best = np.argsort(distances, kind="stable")[:top]
        return [(self.paths[candidates[place]], float(distances[place])) for place in best]

    def _open(self, about: Any, create: bool) -> None:
        """Check that the index is this network's, or begin it."""
        key = self._store.directory.name
        if about is not None:
            if not isinstance(about, dict) or about.get("store") != key:
                made_by = about.get("made_by") if isinstance(about, dict) else "something else"
                raise UserError(
                    f"{self.directory}: was made by another network than {self.engine.source}, by "
                    f"{made_by}; name that with --run or --weights, or another --index"
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

    def _look(self) -> None:
        """Find the pictures whose fc7 is there."""
        pictures = [Picture(path, 0, digest) for digest, path in self._names.items()]
        found = [picture for picture in pictures if picture in self._store]
        self.paths, self._slots = [each.path for each in found], self._store.slots(found)
        self._key = hashlib.sha256("".join(each.digest for each in found).encode()).hexdigest()

    def _make_codes(self, bits: int) -> Codes:
        shuffled = np.random.default_rng(0).permutation(len(self))
        tested = shuffled[: min(TESTED, len(self) // 5)]
        values = self.values(shuffled[len(tested) :][:MOST])
        encoders = train_encoder(values, bits), random_encoder(values, bits)
        packed = [self._encode(encoder) for encoder in encoders]
        distances = self.distances(self.values(tested))
        recalls = [measure_recall(each, tested, distances) for each in packed]
        return Codes(encoders[0], packed[0], *recalls)

    def _encode(self, encoder: Encoder) -> np.ndarray:
        starts = range(0, len(self), LARGE_BLOCK)
        parts = (slice(start, start + LARGE_BLOCK) for start in starts)
        return np.concatenate([encoder.encode(self.values(part)) for part in parts])


def _read_names(path: Path) -> dict[str, str]:
    """Read digest → path of the pictures; {} where nothing was indexed yet."""
    lines = read_text(path).splitlines() if path.is_file() else []
    return {digest: name for digest, _, name in (line.partition("  ") for line in lines)}


def widened(values: np.ndarray) -> np.ndarray:
    """Return finite float16 as float32: as `astype` does, in a sixth of its time."""
    bits = values.view(np.int16).astype(np.int32)
    bits <<= 13  # where float32 has what is behind the sign
    bits &= ~0x70000000  # copies of the sign
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)  # the exponents count from 15 and from 127
    return wide
