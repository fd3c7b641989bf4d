"""Conversion from and to the channels-first kernels of Caffe and PyTorch."""

import math
from collections.abc import Mapping

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.weights import Weights


def to_channels_last(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Weights:
    """Transpose kernels to channels-last, as views: (out, in / groups, height, width) to (height,
    width, in / groups, out), and (out, in) to (in, out). fc6, whose inputs are flattened
    channels-first, is reordered, in new memory."""
    weights = {}
    for name, (kernel, bias) in layers.items():
        if kernel.ndim not in (2, 4):
            raise BadFile(f"has a kernel of shape {kernel.shape}; kernels have 2 or 4 dimensions")
        weights[name] = (kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0), bias)
    if "fc6" in layers:
        kernel, bias = layers["fc6"]
        (outputs, inputs), channels = kernel.shape, _last_conv(layers).shape[0]
        side = math.isqrt(inputs // channels) if channels else 0
        if side * side * channels != inputs:
            raise BadFile(
                f"the kernel of fc6 has {inputs} inputs, which is no square of the {channels} "
                "channels of the last convolution"
            )
        places = kernel.reshape(outputs, channels, side * side).transpose(2, 1, 0)
        weights["fc6"] = (places.reshape(inputs, outputs), bias)
    return weights


def to_channels_first(weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Weights:
    """Transpose kernels to channels-first; the inverse of `to_channels_last`."""
    layers = {
        name: (kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1), bias)
        for name, (kernel, bias) in weights.items()
    }
    if "fc6" in weights:
        kernel, bias = weights["fc6"]
        channels = _last_conv(weights).shape[-1]
        places = kernel.reshape(-1, channels, kernel.shape[-1]).transpose(2, 1, 0)
        layers["fc6"] = (places.reshape(kernel.shape[::-1]), bias)
    return layers


def _last_conv(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the kernel of the last convolution before fc6: conv5, or conv2 in LeNet-5."""
    last = max((name for name in layers if name.startswith("conv")), default="")
    if last not in ("conv5", "conv2"):
        raise BadFile("has fc6 without conv5, whose number of channels fc6 depends on")
    return layers[last][0]
