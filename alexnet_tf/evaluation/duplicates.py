"""Near duplicates: pictures re-encoded, scaled, compressed, mirrored, cropped or brightened."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.system.processor import processors

# Pairs whose vectors have at least this cosine similarity are compared, the most similar first, up
# to this number. Measured on duplicates planted into 7,000 photos: docs/report.md.
ALIKE, MOST_PAIRS = 0.75, 3000
# Pairs are duplicates if their small grey pictures, or crops of them, have at least this
# correlation.
SAME = 0.92
SIDE = 24
# Crops that are compared: sides relative to the picture, and positions relative to the rest.
CUTS, PLACES = (0.9, 0.85, 0.8), (0.0, 0.5, 1.0)
# The similarities that are computed at a time.
ROWS, COLUMNS = 1 << 10, 1 << 15


@dataclass(frozen=True)
class Duplicate:
    """Two nearly identical pictures and their correlation, up to 1."""

    first: Picture
    second: Picture
    likeness: float


def find_duplicates(pictures: Sequence[Picture], vectors: np.ndarray) -> list[Duplicate]:
    """List pairs of near duplicates in `pictures`, the most similar first; `vectors` (n, values)
    select the pairs to compare. Unreadable pictures are in no pair."""
    pairs = alike(vectors)
    paths = sorted({pictures[number].path for pair in pairs for number in pair})
    with ThreadPoolExecutor(processors()) as pool:
        crops = dict(zip(paths, pool.map(_grey_crops, paths)))
    found = []
    for first, second in pairs:
        one, other = (crops[pictures[number].path] for number in (first, second))
        if one is not None and other is not None:
            likeness = _likeness(one, other)
            if likeness >= SAME:
                found.append(Duplicate(pictures[first], pictures[second], likeness))
    return sorted(found, key=lambda pair: -pair.likeness)


def alike(vectors: np.ndarray) -> np.ndarray:
    """Return the index pairs (pairs, 2) of the most similar vectors, the most similar first."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    pairs, cosines = [np.empty((0, 2), int)], [np.empty(0, np.float32)]
    for start in range(0, len(units), ROWS):
        for first in range(start, len(units), COLUMNS):
            found = units[start : start + ROWS] @ units[first : first + COLUMNS].T
            rows, columns = np.nonzero(np.triu(found >= ALIKE, start - first + 1))
            pairs.append(np.stack([rows + start, columns + first], axis=1))
            cosines.append(found[rows, columns])
    order = np.argsort(-np.concatenate(cosines), kind="stable")[:MOST_PAIRS]
    return np.concatenate(pairs)[order]


def _grey_crops(path: str) -> np.ndarray | None:
    """Return the small grey crops of a picture, of length 1: (cuts, pixels); None if unreadable."""
    try:
        with decoded(path, 2 * SIDE) as (picture, _):
            grey = picture.convert("L")
    except ImageError:
        return None
    width, height = grey.size
    boxes: list[tuple[float, float, float, float]] = [(0, 0, width, height)]
    for share in CUTS:
        for left, top in np.ndindex(len(PLACES), len(PLACES)):
            x, y = ((1 - share) * PLACES[at] * side for at, side in ((left, width), (top, height)))
            boxes.append((x, y, x + share * width, y + share * height))
    cuts = [grey.resize((SIDE, SIDE), Image.Resampling.BOX, box) for box in boxes]
    values = np.stack([np.asarray(cut, np.float32).ravel() for cut in cuts])
    values -= values.mean(axis=1, keepdims=True)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate crops with the whole other picture, with the same crop, and with mirror images."""
    mirrored = other.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(other.shape)
    return max(
        float(max((one[0] @ each.T).max(), (one @ each[0]).max(), (one * each).sum(axis=1).max()))
        for each in (other, mirrored)
    )
