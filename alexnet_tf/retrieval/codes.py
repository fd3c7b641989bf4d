"""Short binary codes of fc7, from a small autoencoder (Krizhevsky 2012, section 6.1).

A bit is 1 where the encoder's output is positive; packed codes are compared by Hamming distance.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.progress import progress
from alexnet_tf.system.quiet import import_tensorflow

# Fewest and most pictures that an autoencoder is trained on.
FEWEST, MOST = 100, 10_000
# Candidates found by code, which are then ranked by fc7, relative to the number of results.
SHORTLIST = 50
RECALL_AT = 10
# Principal components given to the autoencoder, hidden units, and standard deviation of the noise
# before tanh, which drives outputs away from 0. Of the values tried on 7,000 photos of cats and
# dogs, these had the highest recall.
DIRECTIONS, HIDDEN, NOISE = 256, 512, 1.0
EPOCHS, BATCH = 30, 256
# Hamming distance of two pairs of bytes, indexed by their exclusive or.
DIFFERENT = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True)
class Encoder:
    """Layers from fc7 to a code: the (kernel, bias) of each, with relu between them."""

    layers: Sequence[tuple[np.ndarray, np.ndarray]]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the codes, uint8 (n, bits / 8), of fc7 activations, float32 (n, units)."""
        *hidden, (kernel, bias) = self.layers
        for each in hidden:
            values = np.maximum(values @ each[0] + each[1], 0)
        return np.packbits(values @ kernel + bias > 0, axis=1)


@dataclass(frozen=True)
class Recall:
    """Recall of the 10 nearest pictures by codes of one kind: within the 10 nearest by code
    (`alone`), and within 10 times `SHORTLIST` (`shortlisted`)."""

    alone: float
    shortlisted: float


@dataclass(frozen=True)
class Codes:
    """The codes of an index's pictures, and their recall compared with random projections."""

    encoder: Encoder
    packed: np.ndarray
    trained: Recall
    random: Recall

    def shortlist(self, query: np.ndarray, top: int) -> np.ndarray:
        """Return the numbers of the `SHORTLIST` × `top` pictures nearest by code to fc7 `query`."""
        (code,) = self.encoder.encode(query[None])
        return smallest(hamming(self.packed, code), SHORTLIST * top)


def train_encoder(values: np.ndarray, bits: int) -> Encoder:
    """Train an autoencoder on fc7, float32 (n, units); return its encoder."""
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
    """Draw a random projection of fc7 minus its mean: the baseline that training has to beat."""
    kernel = np.random.default_rng(0).standard_normal((values.shape[1], bits), np.float32)
    return Encoder([(kernel, -values.mean(axis=0) @ kernel)])


def hamming(codes: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Compute the Hamming distance of each of `codes` (n, bytes) to `code` (bytes,): int (n,)."""
    return DIFFERENT[codes.view(np.uint16) ^ code.view(np.uint16)].sum(axis=1, dtype=np.int64)


def smallest(values: np.ndarray, count: int, but: int | None = None) -> np.ndarray:
    """Return the indices of the `count` smallest of `values` (n,), in order, without `but`."""
    spare = but is not None
    count = min(count + spare, len(values))
    places = np.argpartition(values, count - 1)[:count]
    places = places[np.argsort(values[places], kind="stable")]
    return places[places != but][: count - spare] if spare else places


def measure_recall(packed: np.ndarray, tested: np.ndarray, distances: np.ndarray) -> Recall:
    """Measure the recall of codes, for the pictures `tested` as queries; `distances` (tested,
    pictures) are the distances of their fc7."""
    shares = []
    for number, far in zip(tested, distances):
        nearest = smallest(far, RECALL_AT, but=number)
        found = smallest(hamming(packed, packed[number]), RECALL_AT * SHORTLIST, but=number)
        shares.append([np.isin(nearest, part).mean() for part in (found[:RECALL_AT], found)])
    return Recall(*np.mean(shares, axis=0).tolist())


def write_codes(path: Path, key: str, codes: Codes) -> None:
    """Write codes to the file `path`, for the pictures identified by `key`."""
    arrays: dict[str, Any] = {"key": key, "packed": codes.packed}
    for number, (kernel, bias) in enumerate(codes.encoder.layers):
        arrays |= {f"kernel{number}": kernel, f"bias{number}": bias}
    for name in ("trained", "random"):
        recall = getattr(codes, name)
        arrays[name] = [recall.alone, recall.shortlisted]
    with atomic_write(path, sum(np.asarray(each).nbytes for each in arrays.values())) as temporary:
        np.savez(temporary, **arrays)


def read_codes(path: Path, key: str) -> Codes | None:
    """Read the codes of the pictures identified by `key`; None if they are missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            layers = [(file[f"kernel{n}"], file[f"bias{n}"]) for n in range(2)]
            recalls = [Recall(*file[name].tolist()) for name in ("trained", "random")]
            return Codes(Encoder(layers), file["packed"], *recalls)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
