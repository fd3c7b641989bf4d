"""Networks as Caffe keeps them: a prototxt and a caffemodel, written field by field."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, VARIANTS, Variant
from alexnet_tf.weights import Weights

# V1LayerParameter's `type` for each `type` of a LayerParameter (caffe.proto).
V1_TYPES = {
    "Convolution": 4, "InnerProduct": 14, "LRN": 15, "Pooling": 17, "ReLU": 18, "Softmax": 20,
}  # fmt: skip


def random_weights(variant: Variant, classes: int = 1000, seed: int = 0) -> Weights:
    """Draw Gaussian kernels of He's deviation, so that activations keep their size, small biases.

    fc8's kernel is a hundredth of that: its logits are a few units, and no class takes all of prob.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in (variant.conv_kernels() | variant.fc_kernels(classes)).items():
        kernel = random.standard_normal(shape, np.float32)
        kernel *= np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        if name == "fc8":
            kernel /= 100
        weights[name] = (kernel, random.standard_normal(shape[-1], np.float32))
    return weights


def write_caffemodel(
    path: Path, weights: Weights, variant: Variant = VARIANTS["bvlc"], v1: bool = False, **blobs
) -> None:
    """Write a NetParameter with each layer of `variant`, as V1LayerParameter or LayerParameter.

    `blobs` are the options of `_blob`.
    """
    with open(path, "wb") as file:
        file.write(field(1, b"AlexNet"))
        for name, kind in _layers(variant):
            content = field(4 if v1 else 1, name.encode())
            content += field(5, V1_TYPES[kind]) if v1 else field(2, kind.encode())
            for array in _caffe_arrays(name, weights, variant) if name in weights else ():
                content += field(6 if v1 else 7, _blob(array, **blobs))
            file.write(field(2 if v1 else 100, content))


def write_prototxt(path: Path, variant: Variant) -> None:
    """Write what OpenCV needs to know besides the weights: Caffe's deploy.prototxt."""
    size, bottom = variant.image_size, "data"
    text = f'input: "data"\ninput_shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }}\n'
    units = "inner_product_param {{ num_output: {} }}".format
    parameters = _PARAMETERS | dict(zip(("fc6", "fc7"), map(units, variant.fc_units)))
    for name, kind in _layers(variant):
        top = bottom if kind == "ReLU" else name
        text += f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" '
        text += f"{parameters.get(name, parameters.get(kind, ''))} }}\n"
        bottom = top
    path.write_text(text)


def field(number: int, value: int | bytes) -> bytes:
    """Return a record of Protocol Buffers' wire format: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(number: int) -> bytes:
    """Return `number` in seven bits a byte, lowest first."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def _blob(
    array: np.ndarray, legacy: bool = False, packed: bool = True, double: bool = False
) -> bytes:
    """Return a BlobProto: `data` (or `double_data`) packed into one record or not, and `shape` or,
    in legacy, four dimensions."""
    if legacy:
        dimensions = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(field(number, size) for number, size in enumerate(dimensions, start=1))
    else:
        shape = field(7, field(1, b"".join(map(varint, array.shape))))
    number, numbers, wire_type = (8, "<f8", 1) if double else (5, "<f4", 5)
    data = array.astype(numbers)
    if packed:
        return shape + field(number, data.tobytes())
    records = np.empty(data.size, [("tag", "u1"), ("number", numbers)])
    records["tag"], records["number"] = number << 3 | wire_type, data.ravel()
    return shape + records.tobytes()


def _caffe_arrays(name: str, weights: Weights, variant: Variant) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel (out, in / groups, height, width) or (out, in), channels first, and bias."""
    kernel, bias = weights[name]
    if name in CONV_LAYERS:
        return kernel.transpose(3, 2, 0, 1), bias
    if name == "fc6":
        places = kernel.reshape(*variant.pool5_shape, -1)
        kernel = places.transpose(2, 0, 1, 3).reshape(kernel.shape)
    return kernel.T, bias


def _layers(variant: Variant) -> list[tuple[str, str]]:
    """List name and type of each layer, in Caffe's order."""
    layers = []
    for number, name in enumerate((*CONV_LAYERS, *FC_LAYERS), start=1):
        layers.append((name, "Convolution" if name in CONV_LAYERS else "InnerProduct"))
        if name != "fc8":
            layers.append((f"relu{number}", "ReLU"))
        steps = dict(enumerate(variant.after_conv, start=1)).get(number, ())
        layers += [(f"{step}{number}", {"norm": "LRN", "pool": "Pooling"}[step]) for step in steps]
    return [*layers, ("prob", "Softmax")]


# models/bvlc_alexnet/deploy.prototxt, but for the units of fc6 and fc7.
_PARAMETERS = {
    "conv1": "convolution_param { num_output: 96 kernel_size: 11 stride: 4 }",
    "conv2": "convolution_param { num_output: 256 pad: 2 kernel_size: 5 group: 2 }",
    "conv3": "convolution_param { num_output: 384 pad: 1 kernel_size: 3 }",
    "conv4": "convolution_param { num_output: 384 pad: 1 kernel_size: 3 group: 2 }",
    "conv5": "convolution_param { num_output: 256 pad: 1 kernel_size: 3 group: 2 }",
    "LRN": "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }",
    "Pooling": "pooling_param { pool: MAX kernel_size: 3 stride: 2 }",
    "fc8": "inner_product_param { num_output: 1000 }",
}
