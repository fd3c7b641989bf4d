"""Convolutions in int8, by OpenVINO: one graph of those of a Keras AlexNet, from its pixels on.

Kernels are int8, with a scale for each output channel. What enters a convolution is rounded to
uint8, or to int8 where it may be below 0, by the largest number that `calibration` saw there. The
first convolution sees the pixels themselves: mean and deviation are in its kernel and bias. What a
convolution gives, and all between two of them, is float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from alexnet_tf.system.processor import processors
from alexnet_tf.variants import Variant

if TYPE_CHECKING:  # it comes with an extra
    import openvino

# Of a largest number: the steps of uint8, and those of int8 on either side of 0.
UNSIGNED, SIGNED = 255, 127
LEVELS = 256
# Activations whose values are never below 0.
NOT_NEGATIVE = ("relu", "sigmoid", "softplus")
LEAK = 0.2  # Keras's negative_slope
# In OpenVINO's words.
PADDINGS = {"valid": "valid", "same": "same_upper"}

Forward = Callable[[np.ndarray], np.ndarray]


def int8_convolutions(
    layers: Iterable[keras.layers.Layer],
    variant: Variant,
    largest: Mapping[str, float],
    first: bool,
    batch: int,
) -> Forward:
    """Return what maps pictures, uint8 RGB (batch, side, side, 3), to what the last of `layers`
    gives of them, float32 with the channels last.

    `layers` are a network's from its input on, flattened by none. `largest` is what enters each
    convolution but the first; that is computed in int8 too if `first`. Raises whatever OpenVINO
    does where it is broken, or refuses the network.
    """
    import openvino

    side = variant.picture_size
    graph = _Graph(variant, largest, first)
    inputs = graph.ops.parameter([batch, side, side, 3], np.uint8)
    values = graph.maps(inputs, layers)
    outputs = graph.ops.transpose(values, [0, 2, 3, 1])
    network = _core().compile_model(
        openvino.Model([outputs], [inputs]),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 between the convolutions
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": processors(),
            "ENABLE_CPU_PINNING": False,  # others are at work beside it
        },
    )
    request = network.create_infer_request()

    def forward(pictures: np.ndarray) -> np.ndarray:
        request.infer([np.ascontiguousarray(pictures)], share_inputs=True)
        return request.get_output_tensor().data.copy()

    return forward


@cache
def _core() -> openvino.Core:
    """Return the core of this process, which is never let go.

    Its CPU plugin gives the thread that makes it an alternate stack for signals, and unmaps that
    when it is destroyed, in whichever thread: Ctrl-C would then be a segmentation fault.
    """
    import openvino

    return openvino.Core()


class _Graph:
    """OpenVINO's operators for the layers of a network, channels first."""

    def __init__(self, variant: Variant, largest: Mapping[str, float], first: bool):
        from openvino import opset13
        from openvino.utils.node_factory import NodeFactory

        self.pooling = NodeFactory("opset8")
        self.ops, self.variant, self.largest, self.first = opset13, variant, largest, first
        self.is_first, self.is_signed = True, False
        # What the pixels are in `layers`: (pixel - mean) * scale, by the place in RGB.
        order = [variant.channels.index(name) for name in "RGB"]
        mean, deviation = (np.array(each)[order] for each in (variant.mean, variant.deviation))
        self.order, self.mean, self.scale = order, mean / variant.scale, variant.scale / deviation

    def maps(self, pixels: Any, layers: Iterable[keras.layers.Layer]) -> Any:
        """Add all `layers`, of pixels with the channels last."""
        values = pixels
        for layer in layers:
            write = getattr(self, f"of_{type(layer).__name__}", None)
            values = write(values, layer) if write else values
        return values

    def of_WithMirrorImage(self, pixels: Any, layer: Any) -> Any:
        """Put the mirror images behind the pictures."""
        side = self.variant.picture_size
        mirrored = self.ops.gather(pixels, np.arange(side)[::-1].copy(), 2)
        return self.ops.concat([pixels, mirrored], 0)

    def of_ZeroPadding2D(self, pixels: Any, layer: Any) -> Any:
        """Put the mean, which is 0 to conv1, around the pictures."""
        return self._bordered(pixels, layer.padding)

    def of_GroupedConv2D(self, values: Any, layer: Any) -> Any:
        """Add a convolution and its activation."""
        kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
        if self.is_first:
            self.is_first = False
            values = self._convolved_pixels(values, layer, kernel, bias)
        else:
            values = self._rounded(values, self.largest[layer.name])
            values = self._convolved(values, layer, *_quantized(kernel), bias, layer.padding)
        return self._activated(values, keras.activations.serialize(layer.activation))

    def of_PReLU(self, values: Any, layer: Any) -> Any:
        """Add slopes, one for each channel."""
        return self.ops.prelu(values, layer.alpha.numpy().reshape(-1))

    def of_LocalResponseNormalization(self, values: Any, layer: Any) -> Any:
        """Add a normalization, whose alpha OpenVINO divides by the size, as Caffe does."""
        size, channels = 2 * layer.radius + 1, np.array([1])
        return self.ops.lrn(values, channels, layer.alpha * size, layer.beta, layer.bias, size)

    def of_MaxPooling2D(self, values: Any, layer: Any) -> Any:
        """Add a pooling.

        Not by `ops.max_pool`, which passes names in capitals: in a Turkish locale OpenVINO does not
        find them, because there "VALID" is not "valid".
        """
        attributes = {
            "strides": [*layer.strides],
            "dilations": [1, 1],
            "pads_begin": [0, 0],
            "pads_end": [0, 0],
            "kernel": [*layer.pool_size],
            "rounding_type": "floor",
            "auto_pad": PADDINGS[layer.padding],
        }
        return self.pooling.create("MaxPool", [values.output(0)], attributes).output(0)

    def _convolved_pixels(
        self, pixels: Any, layer: Any, kernel: np.ndarray, bias: np.ndarray
    ) -> Any:
        if layer.padding == "same":
            pixels = self._bordered(pixels, [_padding(layer)] * 2)
        values = self.ops.convert(self.ops.transpose(pixels, [0, 3, 1, 2]), "f32")
        kernel, scales = kernel[:, :, self.order] * self.scale[:, None], np.ones((), np.float32)
        if self.first:
            kernel, scales = _quantized(kernel)
        # Of the rounded kernel, for that is what is multiplied by the pixels.
        bias = bias - np.einsum("hwio,i->o", np.float64(kernel * scales), self.mean)
        if self.first:
            # OpenVINO folds a scale of 1 away, and would compute in float32.
            values = self._rounded(self.ops.multiply(values, np.float32(1 / UNSIGNED)), 1)
            scales = scales * UNSIGNED
        return self._convolved(values, layer, kernel, scales, bias, "valid")

    def _convolved(
        self, values: Any, layer: Any, kernel: Any, scales: Any, bias: np.ndarray, padding: str
    ) -> Any:
        """Convolve with a kernel that is to be scaled, of int8; or of floats, as it is."""
        groups, strides, zeros = layer.groups, [*layer.strides], [0, 0]
        height, width, inputs, outputs = kernel.shape
        each = (groups, outputs // groups) if groups > 1 else (outputs,)
        kernel = kernel.transpose(3, 2, 0, 1).reshape(*each, inputs, height, width)
        if kernel.dtype == np.int8:
            kernel = self.ops.convert(self.ops.constant(np.ascontiguousarray(kernel)), "f32")
            kernel = self.ops.multiply(kernel, np.float32(scales.reshape(*each, 1, 1, 1)))
        else:
            kernel = self.ops.constant(np.ascontiguousarray(kernel, np.float32))
        convolve = self.ops.group_convolution if groups > 1 else self.ops.convolution
        values = convolve(values, kernel, strides, zeros, zeros, [1, 1], PADDINGS[padding])
        return self.ops.add(values, np.float32(bias.reshape(1, -1, 1, 1)))

    def _rounded(self, values: Any, largest: float) -> Any:
        """Round values to a byte: from 0 to the largest, or to either side of 0."""
        low = np.float32(-largest * (SIGNED + 1) / SIGNED if self.is_signed else 0)
        high = np.float32(largest)
        return self.ops.fake_quantize(values, low, high, low, high, LEVELS)

    def _activated(self, values: Any, name: str) -> Any:
        self.is_signed = name not in NOT_NEGATIVE
        if name == "leaky_relu":
            return self.ops.prelu(values, np.array([LEAK], np.float32))
        return values if name == "linear" else getattr(self.ops, name)(values)

    def _bordered(self, pixels: Any, padding: Sequence[Sequence[int]]) -> Any:
        """Put so many rows and columns of the mean, rounded, around pixels."""
        mean = self.mean.round().astype(pixels.get_output_element_type(0).to_dtype())

        def border(count: int) -> Any:
            shape = [*pixels.get_output_shape(0)]
            shape[axis] = count
            return [self.ops.constant(np.tile(mean, (*shape[:3], 1)))] if count else []

        for axis, (before, after) in enumerate(padding, 1):
            pixels = self.ops.concat([*border(before), pixels, *border(after)], axis)
        return pixels


def _quantized(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a kernel (…, out) to int8, and return the scale of each output channel."""
    scales = np.abs(kernel).max(axis=(0, 1, 2)) / SIGNED
    scales[scales == 0] = 1
    return np.rint(kernel / scales).astype(np.int8), scales


def _padding(layer: keras.layers.Conv2D) -> tuple[int, int]:
    """Return how much "same" puts before and after the rows, as many as columns, that it sees."""
    side, kernel, stride = layer.input.shape[1], layer.kernel_size[0], layer.strides[0]
    whole = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return whole // 2, whole - whole // 2
