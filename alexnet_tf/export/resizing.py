"""Preprocessing in a TensorFlow graph: pictures of any size to views of the network's input size.

It repeats what `data.images.preprocessing` does with Pillow: within one grey level, except for a
few in a million values. Resizing is two matrix products, which both LiteRT and TensorFlow have;
LiteRT has no antialiased resizing.
"""

from __future__ import annotations

import tensorflow as tf

from alexnet_tf.export.network import CROPS_OF, ExportedNetwork


def views_of(pixels: tf.Tensor, network: ExportedNetwork) -> tf.Tensor:
    """Crop the network's views: uint8 RGB (n, H, W, 3) → (n, crops, side, side, 3).

    The values are integers of 0–255, as float32.
    """
    shape = tf.shape(pixels)
    rows, columns = _weights(shape[1], shape[2], network), _weights(shape[2], shape[1], network)
    maps = tf.transpose(tf.cast(pixels, tf.float32), (0, 3, 1, 2))
    # In the order that Pillow mostly uses; it rounds after each pass, halves up.
    maps = tf.floor(tf.matmul(maps, columns, transpose_b=True) + 0.5)
    maps = tf.transpose(tf.floor(tf.matmul(rows, maps) + 0.5), (0, 2, 3, 1))
    side = network.side
    views = [
        maps[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
        for row, column in CROPS_OF[network.crops]
    ]
    if network.crops > 1:
        views += [tf.reverse(view, (2,)) for view in views]
    return tf.stack(views, axis=1)


def _weights(length: tf.Tensor, other: tf.Tensor, network: ExportedNetwork) -> tf.Tensor:
    """Compute the resampling weights along an axis of `length`, the other axis being `other` long.

    Returns float32 (cuts × side, length): triangle filters of Pillow's width; each row sums to 1.
    """
    wholes = _whole(length, other, network), _whole(other, length, network)
    step = tf.cast(length, tf.float32) / tf.cast(wholes[0], tf.float32)
    middles = tf.range(network.side, dtype=tf.float32) + 0.5
    starts = tf.cast(tf.stack(_starts(*wholes, network)), tf.float32)
    middles = step * tf.reshape(starts[:, None] + middles, (-1, 1))
    distances = tf.abs(tf.cast(tf.range(length), tf.float32) + 0.5 - middles)
    weights = tf.nn.relu(1 - distances / tf.maximum(step, 1.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _whole(length: tf.Tensor, other: tf.Tensor, network: ExportedNetwork) -> tf.Tensor:
    """Compute the length of the axis once the whole picture is resized."""
    if network.resize != "short":
        return tf.constant(network.whole)
    short = tf.cast(tf.minimum(length, other), tf.float32)
    scaled = tf.round(tf.cast(length * network.whole, tf.float32) / short)
    return tf.maximum(tf.cast(scaled, tf.int32), network.whole)


def _starts(whole: tf.Tensor, other: tf.Tensor, network: ExportedNetwork) -> list[tf.Tensor]:
    """Compute where the crops begin along an axis of the resized picture; see `CROPS_OF`."""
    centre = (whole - network.side) // 2
    if network.crops == 1:
        return [centre]
    square = tf.minimum(whole, other)
    first = (whole - square) // 2
    return [first, first + square - network.side, centre]
