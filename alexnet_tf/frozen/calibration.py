"""Scales of int8: the largest inputs of each convolution for drawn pictures, which are always the
same, so that the scales depend on the weights alone."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.variants import Variant

# Overlapping ellipses of random colours and sizes have the edges, flat parts and contrasts of
# photos ("dead leaves": Lee, Mumford and Huang 2001). With pretrained convolutions they give scales
# as good as those of 64 photos: docs/accuracy.md.
LEAVES, ELLIPSES = 8, 100
# Noise and textures: the sides in pixels of squares of random colours.
SQUARES = (1, 4)
# Half axes, as shares of the picture's side: powers of 2.
SMALLEST, LARGEST = -6, -1
# Scales are rounded up to one of so many in an octave: last bits differ from machine to machine.
STEPS = 8


def calibrate(
    model: keras.Model, layers: Sequence[keras.layers.Layer], variant: Variant
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Return the largest inputs of each convolution but the first, by name, for drawn pictures;
    these pictures, uint8 (n, side, side, 3); and for them the outputs of the last of `layers`,
    which are those of a float32 AlexNet `model`, from its input on."""
    convolutions = [each for each in layers if isinstance(each, keras.layers.Conv2D)][1:]
    entering = {each.name: each.input for each in convolutions}
    seen = keras.Model(model.input, {**entering, "outputs": layers[-1].output})
    pictures = draw(variant.picture_size)
    found = seen.predict_on_batch(preprocess_input(pictures, variant))
    return {name: _rounded(found[name]) for name in entering}, pictures, found["outputs"]


def draw(side: int) -> np.ndarray:
    """Draw pictures, uint8 RGB (10, side, side, 3): the same with every version of NumPy."""
    random = np.random.RandomState(0)
    pictures = np.empty((LEAVES, side, side, 3), np.uint8)
    for picture in pictures:
        picture[:] = random.randint(0, 256, 3)
        for _ in range(ELLIPSES):
            width, height = side * 2.0 ** random.uniform(SMALLEST, LARGEST, 2)
            x, y = random.uniform(0, side, 2)
            left, top = max(0, int(x - width)), max(0, int(y - height))
            around = picture[top : int(y + height) + 1, left : int(x + width) + 1]
            rows, columns = np.ogrid[top : top + len(around), left : left + around.shape[1]]
            inside = ((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 1
            around[inside] = random.randint(0, 256, 3)
    squares = [
        random.randint(0, 256, (side, side, 3), np.uint8)[: -(-side // size), : -(-side // size)]
        .repeat(size, 0)
        .repeat(size, 1)[:side, :side]
        for size in SQUARES
    ]
    return np.concatenate([pictures, squares])


def _rounded(values: np.ndarray) -> float:
    largest = float(np.abs(values).max()) or 1.0
    return 2 ** (math.ceil(STEPS * math.log2(largest)) / STEPS)
