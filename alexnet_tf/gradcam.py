"""Grad-CAM: heat maps of the regions of a picture that speak for a class (Selvaraju 2017)."""

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from alexnet_tf.errors import UserError
from alexnet_tf.model import mean_of_views

# Largest number of inputs whose feature maps are held in memory at once.
BATCH = 64
# Colours at no, half and full heat. Lightness rises too, so that the map is readable without hue.
COLD, WARM, HOT = "#1a0b4b", "#e0442f", "#ffef7a"
# Opacity of the heat map at its maximum.
SEEN_THROUGH = 0.45


def grad_cam(
    model: keras.Model, inputs: np.ndarray, classes: np.ndarray, layer: str | None = None
) -> np.ndarray:
    """Compute the Grad-CAM heat map of each of n inputs for its class, at the convolution `layer`.

    `inputs` are float32 (n, height, width, 3) as the model takes them; `classes` are integer class
    numbers (n,). `layer` defaults to the last convolution. Returns float32 (n, h, w), h × w being
    the layer's spatial size. Each map is scaled to a maximum of 1; a map without any positive
    evidence is all 0. Raises UserError if `layer` is not a convolution.
    """
    first, rest = _split(model, layer)
    heat = [
        _heat(first, rest, inputs[start : start + BATCH], classes[start : start + BATCH])
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate(heat)


def overlay(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Overlay a heat map (h, w), 0 to 1, on a picture: uint8 RGB (height, width, 3)."""
    size = picture.shape[1::-1]
    grey = Image.fromarray((255 * heat).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    colors = ImageOps.colorize(grey, COLD, HOT, WARM)
    dimmed = Image.blend(colors, Image.fromarray(picture), SEEN_THROUGH)
    return np.asarray(dimmed)


def convolutions(model: keras.Model) -> list[str]:
    """Return the names of a network's convolutions, in order."""
    return [each.name for each in model.layers if isinstance(each, keras.layers.Conv2D)]


def check_convolution(model: keras.Model, layer: str) -> str:
    """Return `layer`; raise UserError, listing the convolutions, if it is not one of them."""
    names = convolutions(model)
    if layer not in names:
        raise UserError(f"'{layer}' is no convolution of this network; it has {', '.join(names)}")
    return layer


def _split(model: keras.Model, layer: str | None) -> tuple[keras.Model, keras.Model]:
    """Split a network at `layer`: one model from the inputs to it, one from there to the logits."""
    layer = check_convolution(model, layer or convolutions(model)[-1])
    maps = model.get_layer(layer).output
    return keras.Model(model.input, maps), keras.Model(maps, model.get_layer("fc8").output)


def _heat(
    first: keras.Model, rest: keras.Model, inputs: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Weight the channels by their mean gradients and sum them: equations 1 and 2."""
    count = len(inputs)
    maps = first(inputs, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = mean_of_views(rest(maps, training=False), maps, count)
        scores = tf.gather(logits, classes, batch_dims=1)
    gradients = tape.gradient(scores, maps)[:count]
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps[:count], axis=-1)).numpy()
    most = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)
