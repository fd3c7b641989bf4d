"""ONNX: a network in one file, from pictures of any size to probabilities, labels in its metadata.

Each layer becomes ONNX's own operator: ONNX defines groups, normalization and pooling as Caffe
does, so it is written here, without a converter. The preprocessing is that of
`alexnet_tf.export.resizing`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from alexnet_tf.export.network import CROPS_OF, ExportedNetwork
from alexnet_tf.metrics.novelty import TINY, Novelty
from alexnet_tf.weights.formats.npz import quantize

# The lowest opset that has every operator used here; runtimes have read it since 2022.
OPSET, IR = 17, 8
ACTIVATIONS = {"relu": "Relu", "softplus": "Softplus", "tanh": "Tanh", "sigmoid": "Sigmoid"}
ALL = np.iinfo(np.int64).max


def write(path: Path, network: ExportedNetwork) -> None:
    """Write the network as a ``.onnx``."""
    onnx.save(onnx_model(network), path)


def onnx_model(network: ExportedNetwork, int8: bool = False) -> onnx.ModelProto:
    """Build the network in ONNX: ``pixels`` (n, H, W, 3) → ``probabilities`` (n, C), and
    ``novelty`` (n,) if it has one. With `int8` its kernels are stored in int8 and computed in
    float32."""
    graph = _Graph(int8)
    graph.network(graph.views("pixels", network), network)
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "H", "W", 3])
    count = len(network.classes)
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", count])]
    if network.novelty:
        outputs.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["n"]))
    graph_proto = helper.make_graph(graph.nodes, "alexnet", [pixels], outputs, graph.constants)
    options = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR}
    model = helper.make_model(graph_proto, producer_name="alexnet_tf", **options)
    helper.set_model_props(model, {"labels": json.dumps(network.classes)})
    return model


def predict(model: Path | bytes, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Predict pictures, each uint8 RGB (H, W, 3), with an ONNX file or its contents: float32 (n,
    classes)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"pixels": each[None]})[0] for each in pictures])


class _Graph:
    """Builder of an ONNX graph; values are referred to by name. `of_X` adds Keras's layer X."""

    def __init__(self, int8: bool) -> None:
        self.int8 = int8
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: object, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output. Inputs that are not names become constants."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        output = output or f"{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, value: object) -> str:
        """Add an array as a constant: int64 for integers, but int8 as it is; float32 otherwise."""
        array = np.asarray(value)
        if array.dtype != np.int8:
            array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def kernel(self, kernel: np.ndarray, axes: Sequence[int]) -> str:
        """Add a kernel (…, outputs), with its axes in that order; runtimes scale int8 only once."""
        if not self.int8:
            return self.constant(kernel.transpose(axes))
        values, scales = quantize(kernel)
        scales = np.broadcast_to(scales, (*[1] * (kernel.ndim - 1), len(scales)))
        floats = self.add("Cast", values.transpose(axes), to=TensorProto.FLOAT)
        return self.add("Mul", floats, scales.transpose(axes))

    def views(self, pixels: str, network: ExportedNetwork) -> str:
        """Crop the views, as `resizing.views_of`: (n × crops, 3, side, side)."""
        shape = self.add("Cast", self.add("Shape", pixels), to=TensorProto.FLOAT)
        height, width = (self.add("Gather", shape, axis) for axis in (1, 2))
        rows = self.weights(height, width, network)
        columns = self.weights(width, height, network)
        maps = self.add("Transpose", pixels, perm=(0, 3, 1, 2))
        maps = self.add("Cast", maps, to=TensorProto.FLOAT)
        maps = self.rounded(self.add("MatMul", maps, self.add("Transpose", columns, perm=(1, 0))))
        maps = self.rounded(self.add("MatMul", rows, maps))
        side = network.side
        places = CROPS_OF[network.crops]
        views = [self.window(maps, (row * side, column * side), side) for row, column in places]
        if network.crops > 1:
            views += [self.mirrored(view) for view in views]
        joined = self.add("Concat", *(self.add("Unsqueeze", view, [1]) for view in views), axis=1)
        return self.add("Reshape", joined, [-1, 3, side, side])

    def rounded(self, values: str) -> str:
        """Round to the nearest integer, halves up."""
        return self.add("Floor", self.add("Add", values, 0.5))

    def window(self, maps: str, place: Sequence[int], side: int, stride: int = 1) -> str:
        """Slice a square of `side` values, each `stride` from the next, out of maps (…, H, W)."""
        ends = [start + (side - 1) * stride + 1 for start in place]
        return self.add("Slice", maps, [*place], ends, [2, 3], [stride, stride])

    def mirrored(self, pictures: str) -> str:
        return self.add("Slice", pictures, [ALL], [-ALL], [3], [-1])

    def weights(self, length: str, other: str, network: ExportedNetwork) -> str:
        """Compute an axis's resampling weights, as `resizing._weights`: (cuts × side, length)."""
        step = self.add("Div", length, self.resized_length(length, other, network))
        starts = [self.add("Reshape", each, [1]) for each in self.starts(length, other, network)]
        column = self.add("Reshape", self.add("Concat", *starts, axis=0), [-1, 1])
        middles = self.add("Add", column, np.arange(network.side) + 0.5)
        middles = self.add("Mul", step, self.add("Reshape", middles, [-1, 1]))
        places = self.add("Add", self.add("Range", 0.0, length, 1.0), 0.5)
        distances = self.add("Abs", self.add("Sub", places, middles))
        reach = self.add("Max", step, 1.0)
        weights = self.add("Relu", self.add("Sub", 1.0, self.add("Div", distances, reach)))
        return self.add("Div", weights, self.add("ReduceSum", weights, [1], keepdims=1))

    def resized_length(self, length: str, other: str, network: ExportedNetwork) -> str:
        """Compute the length of the axis once the whole picture is resized."""
        resized = float(network.resized_side)
        if network.resize != "short":
            return self.constant(resized)
        short = self.add("Min", length, other)
        scaled = self.add("Round", self.add("Div", self.add("Mul", length, resized), short))
        return self.add("Max", scaled, resized)

    def starts(self, length: str, other: str, network: ExportedNetwork) -> list[str]:
        """Compute where the crops begin along an axis of the resized picture."""

        def half(value: str) -> str:
            return self.add("Floor", self.add("Mul", value, 0.5))

        side, resized = float(network.side), self.resized_length(length, other, network)
        centre = half(self.add("Sub", resized, side))
        if network.crops == 1:
            return [centre]
        square = self.add("Min", resized, self.resized_length(other, length, network))
        first = half(self.add("Sub", resized, square))
        return [first, self.add("Add", first, self.add("Sub", square, side)), centre]

    def network(self, views: str, network: ExportedNetwork) -> None:
        """Normalize views and run the network on them: mean probabilities, (n, classes), and mean
        novelty (n,)."""
        variant = network.variant
        values = self.add("Gather", views, network.channels, axis=1)
        mean, deviation = np.reshape([variant.mean, variant.deviation], (2, -1, 1, 1)) * 1.0
        values = self.add("Sub", self.add("Mul", values, float(variant.scale)), mean)
        values = self.add("Div", values, deviation)
        for layer in network.model.layers:
            kind = type(layer).__name__
            if network.novelty and kind in ("Windows", "Flatten"):
                statistics = self.statistics(values, layer.input.shape)
            write = getattr(self, f"of_{kind}", None)
            values = write(values, layer) if write else values
        values = self.add("Reshape", values, [-1, network.crops, len(network.classes)])
        self.add("ReduceMean", values, axes=[1], keepdims=0, output="probabilities")
        if network.novelty:
            flips = 1 + any(
                type(each).__name__ == "WithMirrorImage" for each in network.model.layers
            )
            found = self.novelty(statistics, flips, network.novelty)
            found = self.add("Reshape", found, [-1, network.crops])
            self.add("ReduceMean", found, axes=[1], keepdims=0, output="novelty")

    def statistics(self, maps: str, shape: Sequence[int]) -> tuple[str, str]:
        """Compute both halves of the `ChannelStatistics`, each (n, c), of maps (n, c, H, W); in
        Keras they have that `shape`."""
        window = [min(4, *shape[1:3])] * 2
        pooled = self.add("MaxPool", self.add("Neg", maps), kernel_shape=window, strides=[1, 1])
        lowest = self.add("Neg", pooled)
        first, second = (
            self.add("ReduceMean", each, axes=[2, 3], keepdims=0) for each in (lowest, maps)
        )
        return first, second

    def novelty(self, statistics: Sequence[str], flips: int, novelty: Novelty) -> str:
        """Compute the `Novelty` of pictures from their statistics (flips × n, c): (n,)."""
        channels, halves, white = novelty.whitening.shape[-1], [], []
        for each, scale, whitening in zip(statistics, novelty.scales, novelty.whitening):
            views = self.add("Reshape", each, [flips, -1, channels])
            halves.append(half := self.add("ReduceMean", views, axes=[0], keepdims=0))
            scaled = self.add("Div", self.add("Relu", half), scale)
            logarithms = self.add("Log", self.add("Add", scaled, 1.0))
            white.append(self.add("MatMul", logarithms, whitening))
        joined = self.add("Unsqueeze", self.add("Concat", *white, axis=1), [1])
        apart = self.add("Sub", joined, novelty.centers[None])
        squares = self.add("ReduceSumSquare", apart, axes=[2], keepdims=0)
        nearest = self.add("ReduceMin", squares, axes=[1], keepdims=0)
        total = self.add("ReduceMean", halves[1], axes=[1], keepdims=0)
        total = self.add("Sub", self.add("Log", self.add("Max", total, TINY)), novelty.total[0])
        total = self.add("Mul", total, novelty.total[1])
        return self.add("Sqrt", self.add("Add", nearest, self.add("Mul", total, total)))

    def of_ZeroPadding2D(self, values: str, layer: Any) -> str:
        (top, bottom), (left, right) = layer.padding
        return self.add("Pad", values, [0, 0, top, left, 0, 0, bottom, right])

    def of_GroupedConv2D(self, values: str, layer: Any) -> str:
        kernel = self.kernel(layer.kernel.numpy(), (3, 2, 0, 1))
        way = _window(layer, layer.kernel_size) | {"group": layer.groups}
        return self.activated(self.add("Conv", values, kernel, layer.bias.numpy(), **way), layer)

    def activated(self, values: str, layer: Any) -> str:
        """Add the activation that is built into a layer."""
        name = keras.activations.serialize(layer.activation)
        if name == "leaky_relu":
            return self.add("LeakyRelu", values, alpha=0.2)  # Keras's negative_slope
        return values if name == "linear" else self.add(ACTIVATIONS[name], values)

    def of_PReLU(self, values: str, layer: Any) -> str:
        """Add a PReLU; after a convolution it has one slope per channel."""
        slopes = layer.alpha.numpy()
        return self.add("PRelu", values, slopes.transpose(2, 0, 1) if slopes.ndim == 3 else slopes)

    def of_LocalResponseNormalization(self, values: str, layer: Any) -> str:
        """Add a normalization; ONNX, like Caffe, divides its alpha by the size."""
        size = 2 * layer.radius + 1
        numbers = {"alpha": layer.alpha * size, "beta": layer.beta, "bias": layer.bias}
        return self.add("LRN", values, size=size, **numbers)

    def of_MaxPooling2D(self, values: str, layer: Any) -> str:
        return self.add("MaxPool", values, **_window(layer, layer.pool_size))

    def of_WithMirrorImage(self, values: str, layer: Any) -> str:
        return self.add("Concat", values, self.mirrored(values), axis=0)

    def of_Windows(self, values: str, layer: Any) -> str:
        """Slice all windows; a picture's windows are adjacent."""
        rows, columns, channels = layer.input.shape[1:]
        reach = (layer.side - 1) * layer.stride + 1
        windows = [
            self.window(values, (top, left), layer.side, layer.stride)
            for top in range(rows - reach + 1)
            for left in range(columns - reach + 1)
        ]
        apart = (self.add("Unsqueeze", each, [1]) for each in windows)
        joined = self.add("Concat", *apart, axis=1)
        flat = self.add("Transpose", joined, perm=(0, 1, 3, 4, 2))
        return self.add("Reshape", flat, [-1, layer.side**2 * channels])

    def of_Flatten(self, values: str, layer: Any) -> str:
        """Flatten feature maps in the order that fc6 expects: channels last."""
        values = self.add("Transpose", values, perm=(0, 2, 3, 1))
        return self.add("Reshape", values, [-1, int(np.prod(layer.input.shape[1:]))])

    def of_UnitNormalization(self, values: str, layer: Any) -> str:
        return self.add("LpNormalization", values, axis=-1, p=2)

    def of_Dense(self, values: str, layer: Any) -> str:
        kernel = self.kernel(layer.kernel.numpy(), (0, 1))
        gemm = self.add("Gemm", values, kernel, layer.bias.numpy())
        return self.activated(gemm, layer)

    def of_Softmax(self, values: str, layer: Any) -> str:
        return self.add("Softmax", values, axis=-1)

    def of_MeanOfViews(self, values: str, layer: Any) -> str:
        """Average over the windows of a picture and of its mirror image."""
        count = layer.output.shape[-1]
        views = self.add("Reshape", values, [1 + layer.mirrored, -1, layer.windows, count])
        return self.add("ReduceMean", views, axes=[0, 2], keepdims=0)


def _window(layer: Any, size: Sequence[int]) -> dict[str, Any]:
    """Return ONNX's attributes for the window of a convolution or pooling."""
    padding = {"valid": "VALID", "same": "SAME_UPPER"}[layer.padding]
    return {"kernel_shape": size, "strides": layer.strides, "auto_pad": padding}
