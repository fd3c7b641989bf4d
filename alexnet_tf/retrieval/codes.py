"""Short binary codes of fc7, by a small autoencoder (Krizhevsky 2012, section 6.1).

Where an encoder's outputs are positive a code has a 1. Codes are packed, eight bits to a byte, and
compared by how many of their bits differ.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.progress import progress
from alexnet_tf.system.quiet import import_tensorflow

# The fewest pictures that codes are trained on, and the most.
FEWEST, MOST = 100, 10_000
# As many times more than are asked for, the nearest by code, are put in order by fc7.
SHORTLIST = 50
RECALL_AT = 10
# Directions of the largest variance that the autoencoder sees, units between those and the code,
# and the deviation of the noise before tanh, which drives outputs away from 0: of 7,000 photos of
# cats and dogs these found the most of the nearest, of those that were tried.
DIRECTIONS, HIDDEN, NOISE = 256, 512, 1.0
EPOCHS, BATCH = 30, 256
# How many bits two pairs of bytes differ in, by their exclusive or.
DIFFERENT = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True)
class Encoder:
    """Layers from fc7 to a code: (kernel, bias) of each, with relu between."""

    layers: Sequence[tuple[np.ndarray, np.ndarray]]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the codes, uint8 (n, bits / 8), of fc7, float32 (n, units)."""
        *hidden, (kernel, bias) = self.layers
        for each in hidden:
            values = np.maximum(values @ each[0] + each[1], 0)
        return np.packbits(values @ kernel + bias > 0, axis=1)


@dataclass(frozen=True)
class Recall:
    """Which share of the 10 nearest are among the nearest by codes of one kind.

    `alone`: among the 10 nearest by code; `shortlisted`: among 10 times `SHORTLIST`.
    """

    alone: float
    shortlisted: float


@dataclass(frozen=True)
class Codes:
    """A code for each picture of an index, and how good those are beside random projections."""

    encoder: Encoder
    packed: np.ndarray
    trained: Recall
    random: Recall

    def shortlist(self, query: np.ndarray, top: int) -> np.ndarray:
        """Return the numbers of the nearest by code to fc7 `query`: many more than `top`."""
        (code,) = self.encoder.encode(query[None])
        return smallest(hamming(self.packed, code), SHORTLIST * top)


def train_encoder(values: np.ndarray, bits: int) -> Encoder:
    """Train an autoencoder on fc7, float32 (n, units); return its first half."""
    import_tensorflow()
    import keras
    from sklearn.decomposition import PCA

    directions = min(DIRECTIONS, *values.shape)
    pca = PCA(directions, svd_solver="randomized", random_state=0)
    inputs = pca.fit_transform(values)
    deviation = inputs.std() or 1
    inputs /= deviation
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Dense(HIDDEN, "relu", name="hidden"),
            keras.layers.Dense(bits, name="code"),
            keras.layers.GaussianNoise(NOISE),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(HIDDEN, "relu"),
            keras.layers.Dense(directions),
        ]
    )
    model.compile("adam", "mse")
    for _ in progress(range(EPOCHS), EPOCHS, "codes"):
        model.fit(inputs, inputs, BATCH, verbose=0)
    (kernel, bias), code = (model.get_layer(name).get_weights() for name in ("hidden", "code"))
    kernel = pca.components_.T @ kernel / deviation
    return Encoder([(kernel, bias - pca.mean_ @ kernel), code])


def random_encoder(values: np.ndarray, bits: int) -> Encoder:
    """Draw an encoder that projects fc7, less its mean, at random: what training has to beat."""
    kernel = np.random.default_rng(0).standard_normal((values.shape[1], bits), np.float32)
    return Encoder([(kernel, -values.mean(axis=0) @ kernel)])


def hamming(codes: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Count in how many bits each of `codes` (n, bytes) differs from `code` (bytes,): int (n,)."""
    return DIFFERENT[codes.view(np.uint16) ^ code.view(np.uint16)].sum(axis=1, dtype=np.int64)


def smallest(values: np.ndarray, count: int, but: int | None = None) -> np.ndarray:
    """Return the places of the `count` smallest of `values` (n,), in order, without place `but`."""
    spare = but is not None
    count = min(count + spare, len(values))
    places = np.argpartition(values, count - 1)[:count]
    places = places[np.argsort(values[places], kind="stable")]
    return places[places != but][: count - spare] if spare else places


def measure_recall(packed: np.ndarray, tested: Sequence[int], distances: np.ndarray) -> Recall:
    """Measure which share of the nearest to the pictures `tested` their codes find.

    `distances` (tested, pictures) are those between their fc7.
    """
    shares = []
    for number, far in zip(tested, distances):
        nearest = smallest(far, RECALL_AT, but=number)
        found = smallest(hamming(packed, packed[number]), RECALL_AT * SHORTLIST, but=number)
        shares.append([np.isin(nearest, part).mean() for part in (found[:RECALL_AT], found)])
    return Recall(*np.mean(shares, axis=0).tolist())


def write_codes(path: Path, key: str, codes: Codes) -> None:
    """Write codes to the file `path`, for the pictures known by `key`."""
    arrays = {"key": key, "packed": codes.packed}
    for number, (kernel, bias) in enumerate(codes.encoder.layers):
        arrays |= {f"kernel{number}": kernel, f"bias{number}": bias}
    for name in ("trained", "random"):
        recall = getattr(codes, name)
        arrays[name] = [recall.alone, recall.shortlisted]
    with atomic_write(path, sum(np.asarray(each).nbytes for each in arrays.values())) as temporary:
        np.savez(temporary, **arrays)


def read_codes(path: Path, key: str) -> Codes | None:
    """Read the codes of the pictures known by `key`; None where there are none, or damaged ones."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            layers = [(file[f"kernel{n}"], file[f"bias{n}"]) for n in range(2)]
            recalls = [Recall(*file[name].tolist()) for name in ("trained", "random")]
            return Codes(Encoder(layers), file["packed"], *recalls)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
