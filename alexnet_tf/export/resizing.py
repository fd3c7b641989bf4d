"""Preprocessing in a TensorFlow graph: pictures of any size to views of the network's input size.

It repeats what `data.images.preprocessing` does with Pillow: within one grey level, except for a
few in a million values. Resizing is two matrix products, which both LiteRT and TensorFlow have;
LiteRT has no antialiased resizing.
"""

import tensorflow as tf

from alexnet_tf.export.network import CROPS_OF, ExportedNetwork


def views_of(pixels: tf.Tensor, network: ExportedNetwork) -> tf.Tensor:
    """Crop the network's views: uint8 RGB (n, H, W, 3) → float32 (n, crops, side, side, 3),
    integers of 0–255."""
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
    """Compute the resampling weights along an axis of `length`, the other being `other` long:
    triangle filters of Pillow's width, float32 (cuts × side, length), whose rows sum to 1."""
    lengths = _resized_length(length, other, network), _resized_length(other, length, network)
    step = tf.cast(length, tf.float32) / tf.cast(lengths[0], tf.float32)
    middles = tf.range(network.side, dtype=tf.float32) + 0.5
    starts = tf.cast(tf.stack(_starts(*lengths, network)), tf.float32)
    middles = step * tf.reshape(starts[:, None] + middles, (-1, 1))
    distances = tf.abs(tf.cast(tf.range(length), tf.float32) + 0.5 - middles)
    weights = tf.nn.relu(1 - distances / tf.maximum(step, 1.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _resized_length(length: tf.Tensor, other: tf.Tensor, network: ExportedNetwork) -> tf.Tensor:
    """Compute the length of the axis once the whole picture is resized."""
    if network.resize != "short":
        return tf.constant(network.resized_side)
    short = tf.cast(tf.minimum(length, other), tf.float32)
    scaled = tf.round(tf.cast(length * network.resized_side, tf.float32) / short)
    return tf.maximum(tf.cast(scaled, tf.int32), network.resized_side)


def _starts(resized: tf.Tensor, other: tf.Tensor, network: ExportedNetwork) -> list[tf.Tensor]:
    """Compute where the crops begin along an axis of the resized picture; see `CROPS_OF`."""
    centre = (resized - network.side) // 2
    if network.crops == 1:
        return [centre]
    square = tf.minimum(resized, other)
    first = (resized - square) // 2
    return [first, first + square - network.side, centre]
