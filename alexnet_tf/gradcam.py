"""Grad-CAM: where in a picture a network sees a class (Selvaraju 2017)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from alexnet_tf.errors import UserError

# The most inputs whose maps are in memory at once.
BATCH = 64
# Nothing, half and most of the heat. Each is lighter than the one before, for those who see no hue.
COLD, WARM, HOT = "#1a0b4b", "#e0442f", "#ffef7a"
# How much of the picture is seen through the heat where there is most of it.
SEEN_THROUGH = 0.45


def grad_cam(
    model: keras.Model, inputs: np.ndarray, classes: np.ndarray, layer: str | None = None
) -> np.ndarray:
    """Compute where `layer` sees, in each of n inputs, the class with its number in `classes`.

    `inputs` are float32 (n, height, width, 3) as the model takes them, `classes` whole numbers
    (n,). Returns float32 (n, h, w), h × w being the places of the layer, a convolution: the last
    one unless named. The largest value is 1, but for a picture without any place that speaks for
    its class: there all are 0. Raises UserError for a layer that is no convolution.
    """
    first, rest = _split(model, layer)
    heat = [
        _heat(first, rest, inputs[start : start + BATCH], classes[start : start + BATCH])
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate(heat)


def overlay(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heat (h, w) of 0 to 1 over a picture, uint8 RGB (height, width, 3); return the same."""
    size = picture.shape[1::-1]
    grey = Image.fromarray((255 * heat).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    colors = ImageOps.colorize(grey, COLD, HOT, WARM)
    dimmed = Image.blend(colors, Image.fromarray(picture), SEEN_THROUGH)
    return np.asarray(dimmed)


def convolutions(model: keras.Model) -> list[str]:
    """Name the convolutions of a network, in order."""
    return [each.name for each in model.layers if isinstance(each, keras.layers.Conv2D)]


def _split(model: keras.Model, layer: str | None) -> tuple[keras.Model, keras.Model]:
    """Return two networks: from the inputs to `layer`, and on from there to the logits."""
    names = convolutions(model)
    layer = layer or names[-1]
    if layer not in names:
        raise UserError(f"'{layer}' is no convolution of this network; it has {', '.join(names)}")
    maps = model.get_layer(layer).output
    return keras.Model(model.input, maps), keras.Model(maps, model.get_layer("fc8").output)


def _heat(
    first: keras.Model, rest: keras.Model, inputs: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Weigh the channels by their mean gradients and add them up: equations 1 and 2."""
    count = len(inputs)
    maps = first(inputs, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = rest(maps, training=False)
        # A network may see mirror images, behind the pictures themselves, and several windows of
        # each: (mirrored or not, pictures, windows, classes).
        views = tf.reshape(logits, (len(maps) // count, count, -1, logits.shape[-1]))
        scores = tf.gather(tf.reduce_mean(views, axis=(0, 2)), classes, batch_dims=1)
    gradients = tape.gradient(scores, maps)[:count]
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps[:count], axis=-1)).numpy()
    most = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)
