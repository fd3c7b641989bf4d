"""Convolutions in int8 by OpenVINO: one graph of the convolutional layers of a Keras AlexNet.

Kernels are int8, with a scale for each output channel. The input of a convolution is rounded to
uint8, or to int8 if it may be negative, with the largest value that `calibration` measured there.
The first convolution takes the pixels themselves: its kernel and bias include mean and deviation.
Outputs, and all layers between two convolutions, are float32.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import keras
import numpy as np

from alexnet_tf.system.processor import INT8, processors
from alexnet_tf.variants import Variant

# The largest uint8 and int8, and the number of values of either.
UNSIGNED, SIGNED, LEVELS = 255, 127, 256
# Activations whose values are never negative.
NOT_NEGATIVE = ("relu", "sigmoid", "softplus")
LEAK = 0.2  # Keras's negative_slope
# OpenVINO's names of Keras's paddings.
PADDINGS = {"valid": "valid", "same": "same_upper"}

# From pictures, uint8 RGB (n, side, side, 3), to outputs of layers, float32, channels last.
Forward = Callable[[np.ndarray], np.ndarray]


def by_openvino(
    layers: Iterable[keras.layers.Layer],
    variant: Variant,
    largest: Mapping[str, float],
    precision: str,
    batch: int,
) -> Forward:
    """Compute the convolutional `layers`, those of a network before it flattens, in int8, always in
    batches of `batch`. `largest` are the largest inputs of each convolution but the first, which is
    in int8 too if `precision` is INT8. OpenVINO raises exceptions of any kind if it is broken or
    refuses the network."""
    import openvino

    side = variant.picture_size
    graph = _Graph(variant, largest, precision == INT8)
    inputs = graph.ops.parameter([batch, side, side, 3], np.uint8)
    values = graph.maps(inputs, layers)
    outputs = graph.ops.transpose(values, [0, 2, 3, 1])
    network = _core().compile_model(
        openvino.Model([outputs], [inputs]),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",  # not bfloat16 between the convolutions
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": processors(),
            "ENABLE_CPU_PINNING": False,  # other threads need the processors too
        },
    )
    request = network.create_infer_request()

    def forward(pictures: np.ndarray) -> np.ndarray:
        request.infer([np.ascontiguousarray(pictures)], share_inputs=True)
        return request.get_output_tensor().data.copy()

    return forward


@cache
def _core() -> Any:
    """Return OpenVINO's core, which is kept until the process ends: its CPU plugin unmaps, in
    whichever thread destroys it, the alternate stack for signals of the thread that created it;
    then Ctrl-C would be a segmentation fault."""
    import openvino

    return openvino.Core()


class _Graph:
    """Builder of an OpenVINO graph, channels first."""

    def __init__(self, variant: Variant, largest: Mapping[str, float], first: bool):
        from openvino import opset13
        from openvino.utils.node_factory import NodeFactory

        self.pooling = NodeFactory("opset8")
        self.ops, self.variant, self.largest, self.first = opset13, variant, largest, first
        self.is_first, self.is_signed = True, False
        # Preprocessing is (pixel - mean) * scale, by channel in the order RGB.
        order = [variant.channels.index(name) for name in "RGB"]
        mean, deviation = (np.array(each)[order] for each in (variant.mean, variant.deviation))
        self.order, self.mean, self.scale = order, mean / variant.scale, variant.scale / deviation

    def maps(self, values: Any, layers: Iterable[keras.layers.Layer]) -> Any:
        """Add all `layers`, from pixels with the channels last."""
        for layer in layers:
            write = getattr(self, f"of_{type(layer).__name__}", None)
            values = write(values, layer) if write else values
        return values

    def of_WithMirrorImage(self, pixels: Any, layer: Any) -> Any:
        """Append the mirror images after the pictures."""
        side = self.variant.picture_size
        mirrored = self.ops.gather(pixels, np.arange(side)[::-1].copy(), 2)
        return self.ops.concat([pixels, mirrored], 0)

    def of_ZeroPadding2D(self, pixels: Any, layer: Any) -> Any:
        """Pad the pictures with the mean, which conv1 takes as 0."""
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
        """Add a PReLU with a slope for each channel."""
        return self.ops.prelu(values, layer.alpha.numpy().reshape(-1))

    def of_LocalResponseNormalization(self, values: Any, layer: Any) -> Any:
        """Add a normalization; OpenVINO, like Caffe, divides its alpha by the size."""
        size, channels = 2 * layer.radius + 1, np.array([1])
        return self.ops.lrn(values, channels, layer.alpha * size, layer.beta, layer.bias, size)

    def of_MaxPooling2D(self, values: Any, layer: Any) -> Any:
        """Add a max pooling; `ops.max_pool` fails in a Turkish locale, where "VALID" in lower case
        is not "valid"."""
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

    def _convolved_pixels(self, pixels: Any, layer: Any, kernel: Any, bias: np.ndarray) -> Any:
        if layer.padding == "same":
            pixels = self._bordered(pixels, [_padding(layer)] * 2)
        values = self.ops.convert(self.ops.transpose(pixels, [0, 3, 1, 2]), "f32")
        kernel, scales = kernel[:, :, self.order] * self.scale[:, None], np.ones((), np.float32)
        if self.first:
            kernel, scales = _quantized(kernel)
        # The mean is multiplied by the rounded kernel, as the pixels are.
        bias = bias - np.einsum("hwio,i->o", np.float64(kernel * scales), self.mean)
        if self.first:
            # OpenVINO would drop a scale of 1, and compute in float32.
            values = self._rounded(self.ops.multiply(values, np.float32(1 / UNSIGNED)), 1)
            scales = scales * UNSIGNED
        return self._convolved(values, layer, kernel, scales, bias, "valid")

    def _convolved(
        self, values: Any, layer: Any, kernel: Any, scales: Any, bias: np.ndarray, padding: str
    ) -> Any:
        """Convolve with a kernel of int8, which is scaled, or of floats, which is not."""
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
        """Round values to uint8, or to int8 after an activation that may be negative."""
        low = np.float32(-largest * (SIGNED + 1) / SIGNED if self.is_signed else 0)
        high = np.float32(largest)
        return self.ops.fake_quantize(values, low, high, low, high, LEVELS)

    def _activated(self, values: Any, name: str) -> Any:
        self.is_signed = name not in NOT_NEGATIVE
        if name == "leaky_relu":
            return self.ops.prelu(values, np.array([LEAK], np.float32))
        return values if name == "linear" else getattr(self.ops, name)(values)

    def _bordered(self, pixels: Any, padding: Sequence[Sequence[int]]) -> Any:
        """Pad pixels with rows and columns of the rounded mean."""
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
    """Return how many rows, or columns, "same" padding adds before and after the input."""
    side, kernel, stride = layer.input.shape[1], layer.kernel_size[0], layer.strides[0]
    whole = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return whole // 2, whole - whole // 2
