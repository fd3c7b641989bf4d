"""Another picture from the same picture, in every epoch (Krizhevsky 2012, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LARGEST = 255  # the value of white; principal components are of pictures in 0–1


@dataclass(frozen=True)
class Augmentation:
    """What happens to training pictures at random.

    `size` pixels square are cut out, anywhere if `crop`, else at the centre; one half of the
    pictures is mirrored if `mirror`. `shift` is the deviation of the three random numbers that
    multiply the `components` (see `color_components`) and are added to all pixels of a picture.
    """

    size: int
    crop: bool = False
    mirror: bool = False
    shift: float = 0.0
    components: np.ndarray | None = None

    def __call__(self, pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """uint8 RGB (n, side, side, 3) → (n, size, size, 3), uint8 or, with a shift, float32."""
        count, room = len(pictures), pictures.shape[1] - self.size
        places = np.full((count, 2), room // 2)
        if self.crop:
            places = random.integers(0, room + 1, (count, 2))
        mirrored = random.random(count) < (0.5 if self.mirror else 0)
        views = np.empty((count, self.size, self.size, 3), np.uint8)
        for view, picture, (top, left), mirror in zip(views, pictures, places, mirrored):
            cut = picture[top : top + self.size, left : left + self.size]
            view[:] = cut[:, ::-1] if mirror else cut
        if not self.shift:
            return views
        alphas = random.normal(0, self.shift, (count, 3))
        shifts = LARGEST * alphas @ self.components
        return views + shifts[:, None, None].astype(np.float32)


def color_components(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The principal components of the colours of all pixels, one a row: float64 (3, 3).

    Each is a unit eigenvector of the covariance matrix of red, green and blue, in 0–1, multiplied
    by its eigenvalue; the largest is last. `batches` are uint8 RGB (n, side, side, 3), read once.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for batch in batches:
        pixels = batch.reshape(-1, 3).astype(np.float64) / LARGEST
        count += len(pixels)
        total += pixels.sum(axis=0)
        products += pixels.T @ pixels
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    return values[:, None] * vectors.T
