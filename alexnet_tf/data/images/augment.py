"""Random augmentation of training pictures, new in every epoch: that of Krizhevsky 2012, section
4.1, and Keras's."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

WHITE = 255  # principal components are of pictures in 0–1


@dataclass(frozen=True)
class Augmentation:
    """The random augmentation of training pictures. Crops are `size` pixels square, at a random
    place if `crop`, else at the centre. If `mirror`, half of the pictures are mirrored. Then come
    the `layers`, Keras's. The three `components` (see `color_components`), each multiplied by a
    random number of standard deviation `shift`, are added to all pixels of a picture."""

    size: int
    layers: Sequence[keras.Layer] = ()
    crop: bool = False
    mirror: bool = False
    shift: float = 0.0
    components: np.ndarray | None = None

    def __call__(
        self,
        pictures: np.ndarray,
        random: np.random.Generator,
        rows: np.ndarray | None = None,
        count: int | None = None,
    ) -> np.ndarray:
        """Return views (n, size, size, 3) of `pictures`, uint8 RGB (n, side, side, 3): uint8 or,
        with `layers` or a `shift`, which may leave 0–255, float32. Pictures that are only the
        `rows` of a batch of `count` get the same views as in the whole batch."""
        count = count or len(pictures)
        rows = np.arange(count) if rows is None else rows
        room = pictures.shape[1] - self.size
        places = np.full((count, 2), room // 2)
        if self.crop:
            places = random.integers(0, room + 1, (count, 2))
        mirrored = random.random(count) < (0.5 if self.mirror else 0)
        views = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for view, picture, (top, left), flip in zip(views, pictures, places[rows], mirrored[rows]):
            cut = picture[top : top + self.size, left : left + self.size]
            view[:] = cut[:, ::-1] if flip else cut
        for layer in self.layers:
            views = _transformed(views, layer, int(random.integers(1 << 31)), rows, count)
        if self.components is None:
            return views
        alphas = random.normal(0, self.shift, (count, 3))
        shifts = WHITE * alphas[rows] @ self.components
        return views + shifts[:, None, None].astype(np.float32)


def random_layers(
    rotate: float = 0, zoom: float = 0, brightness: float = 0, contrast: float = 0
) -> list[keras.Layer]:
    """Return Keras's layers for these settings, each unless it is 0: the most degrees to either
    side, the most that a picture shrinks or grows, and how much brightness and contrast vary."""
    factors: dict[type[keras.Layer], Any] = {
        keras.layers.RandomRotation: rotate / 360,
        keras.layers.RandomZoom: zoom,
        keras.layers.RandomBrightness: brightness,
        # Of a single number Keras 3.15 only raises the contrast, against its documentation.
        keras.layers.RandomContrast: contrast and (contrast, contrast),
    }
    return [layer(factor, dtype="float32") for layer, factor in factors.items() if factor]


def _transformed(
    views: np.ndarray, layer: keras.Layer, seed: int, rows: np.ndarray, count: int
) -> np.ndarray:
    """Transform views, which are the `rows` of a batch of `count`, as the seed says."""
    batch = keras.KerasTensor((count, *views.shape[1:]))
    drawn = layer.get_random_transformation(batch, seed=seed)
    own = {name: tf.gather(each, rows) for name, each in drawn.items() if tf.is_tensor(each)}
    return layer.transform_images(tf.constant(views, tf.float32), own).numpy()


def color_components(
    batches: Iterable[np.ndarray], joined: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> np.ndarray:
    """Compute the principal components of the colours of all pixels, float64 (3 components, RGB):
    each a unit eigenvector of the covariance matrix of red, green and blue, in 0–1, multiplied by
    its eigenvalue; the largest is last. `batches` are uint8 RGB (n, side, side, 3), read once;
    `joined` adds the sums of other workers."""
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for batch in batches:
        pixels = batch.reshape(-1, 3).astype(np.float64) / WHITE
        count += len(pixels)
        total += pixels.sum(axis=0)
        products += pixels.T @ pixels
    sums = joined(np.array([count, *total, *products.ravel()]))
    count, total, products = sums[0], sums[1:4], sums[4:].reshape(3, 3)
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    return values[:, None] * vectors.T
