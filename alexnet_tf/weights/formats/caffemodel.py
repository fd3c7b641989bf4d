"""Caffe's ``.caffemodel``: a binary NetParameter, whose layers hold their weights as blobs. The
field numbers are from Caffe's src/caffe/proto/caffe.proto."""

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
from alexnet_tf.weights.formats.protobuf import floats, integers, last, read_message, text

# NetParameter, and the messages in `layer` and, in files until 2015, `layers`.
NETWORK = {100: "layer", 2: "layers"}
LAYER = {"layer": {1: "name", 7: "blobs"}, "layers": {4: "name", 6: "blobs"}}
# BlobProto, whose shape was in four fields before it had `shape`, and BlobShape.
LEGACY_SHAPE = {1: "num", 2: "channels", 3: "height", 4: "width"}
BLOB = LEGACY_SHAPE | {5: "data", 7: "shape", 8: "double_data"}
SHAPE = {1: "dim"}
# AlexNet has twenty-odd layers, and a layer two blobs.
MOST = 1000
# The layers between conv1 and conv2.
STEPS = {"norm1": "norm", "pool1": "pool"}


def read_caffemodel(path: Path) -> Content:
    """Read the layers that have weights, and the order of norm1 and pool1."""
    layers, order, file = {}, [], map_file(path)
    for name, blobs in _layers(file):
        if name in STEPS:
            order.append(STEPS[name])
        if blobs:
            if len(blobs) != 2:
                raise BadFile(f"'{name}' has {len(blobs)} blobs; a kernel and a bias are 2")
            kernel, bias = map(_array, blobs)
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
    for version, layers in read_message(memoryview(file), NETWORK, MOST).items():
        for layer in layers:
            found = read_message(layer, LAYER[version], MOST)
            yield text(found["name"]), found["blobs"]


def _array(blob: memoryview) -> np.ndarray:
    """Return the blob's values in its shape: a view of the file if they are contiguous."""
    found = read_message(blob, BLOB, MOST)
    shape = tuple(last(found[name], 0) for name in LEGACY_SHAPE.values())
    if found["shape"]:
        shape = integers(read_message(found["shape"][-1], SHAPE, MOST)["dim"])
    data = floats(found["data"], "<f4") if found["data"] else floats(found["double_data"], "<f8")
    if math.prod(shape) != data.size:
        raise BadFile(f"is damaged: a blob of shape {shape} holds {data.size} numbers")
    return data.reshape(shape)
