"""Caffe's ``.caffemodel``: a binary NetParameter, whose layers hold their weights as blobs.

The field numbers are from Caffe's src/caffe/proto/caffe.proto.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.variants import FC_LAYERS
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats.channels_first import to_channels_last
from alexnet_tf.weights.formats.mapped import map_file
from alexnet_tf.weights.formats.protobuf import concatenated, fields, numbers, varints

# NetParameter's field → the fields `name` and `blobs` of the message in it.
LAYERS = {
    100: (1, 7),  # repeated LayerParameter layer
    2: (4, 6),  # repeated V1LayerParameter layers, until 2015
}
# BlobProto.
LEGACY_SHAPE = (1, 2, 3, 4)  # num, channels, height, width, used before `shape` existed
DATA, SHAPE, DOUBLE_DATA = 5, 7, 8
BLOB_SHAPE_DIM = 1
# Caffe's kMaxBlobAxes is 32; a varint takes at most ten bytes and a tag.
LONGEST_SHAPE = 32 * 11
# The layers between conv1 and conv2.
STEPS = {"norm1": "norm", "pool1": "pool"}


def read_caffemodel(path: Path) -> Content:
    """Read the layers that have weights, and the order of norm1 and pool1."""
    layers, order, file = {}, [], map_file(path)
    for name, blobs in _layers(file):
        if name in STEPS:
            order.append(STEPS[name])
        if blobs:
            kernel, bias = (_array(blob) for blob in _pair(name, blobs))
            if name in FC_LAYERS:  # 1 × 1 × out × in, in the older format
                kernel = kernel.reshape(kernel.shape[-2:])
            layers[name] = (kernel, bias.reshape(-1))
    if not layers:
        raise BadFile("holds no layer with weights; is it the network's trained .caffemodel?")
    weights = to_channels_last(layers)
    # fc6 was copied, so its pages need not stay in memory. Other pages are read again on access.
    file.madvise(mmap.MADV_DONTNEED)
    return Content(weights, tuple(order))


def _layers(file: mmap.mmap) -> Iterator[tuple[str, list[memoryview]]]:
    """Yield the name and blobs of every layer."""
    for number, layer in fields(memoryview(file)):
        if number in LAYERS:
            name_field, blobs_field = LAYERS[number]
            name, blobs = "", []
            for field, value in fields(layer):
                if field == name_field:
                    name = str(value, "utf-8")
                elif field == blobs_field:
                    blobs.append(value)
            yield name, blobs


def _pair(name: str, blobs: list[memoryview]) -> list[memoryview]:
    if len(blobs) != 2:
        raise BadFile(f"the layer '{name}' has {len(blobs)} blobs; a kernel and a bias are 2")
    return blobs


def _array(blob: memoryview) -> np.ndarray:
    """Return the blob's values in its shape: a view of the file if they are contiguous."""
    shape, legacy, parts = None, dict.fromkeys(LEGACY_SHAPE, 0), []
    for field, value in fields(blob):
        if field == SHAPE:
            shape = _dimensions(value)
        elif field in legacy:
            legacy[field] = value
        elif field in (DATA, DOUBLE_DATA):
            parts.append(numbers(value, "<f4" if field == DATA else "<f8"))
    shape = tuple(legacy.values()) if shape is None else shape
    data = concatenated(parts)
    if math.prod(shape) != data.size:
        raise BadFile(f"is damaged: a blob of shape {shape} holds {data.size} numbers")
    return data.reshape(shape)


def _dimensions(shape: memoryview) -> tuple[int, ...]:
    """Read a BlobShape, whose `dim` are varints, packed or not."""
    if len(shape) > LONGEST_SHAPE:
        raise BadFile(f"is damaged: a blob's shape takes {len(shape)} bytes")
    dimensions: list[int] = []
    for field, value in fields(shape):
        if field == BLOB_SHAPE_DIM:
            dimensions += [value] if isinstance(value, int) else varints(value)
    return tuple(dimensions)
