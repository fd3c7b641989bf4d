"""ONNX: a ModelProto, whose graph has AlexNet's convolutions and matrix products in their order.

The field numbers are from ONNX's onnx/onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats.channels_first import to_channels_last
from alexnet_tf.weights.formats.floats import BFLOAT16, as_floats
from alexnet_tf.weights.formats.mapped import map_file
from alexnet_tf.weights.formats.protobuf import concatenated, fields, numbers, varints

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_F, ATTRIBUTE_I, ATTRIBUTE_T = 1, 2, 3, 5
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA, DOUBLE_DATA, DATA_LOCATION = 1, 2, 4, 8, 9, 10, 14
EXTERNAL = 1
TYPES: dict[int, np.dtype] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    16: BFLOAT16,
}
# The fields of values that are not in raw_data.
TYPED: dict[int, np.dtype] = {FLOAT_DATA: np.dtype("<f4"), DOUBLE_DATA: np.dtype("<f8")}
# AlexNet has about thirty nodes and sixteen initializers.
MOST = 1000
# A node has a few tensors and attributes, and a kernel four dimensions.
MOST_OF_A_NODE = 20
LONGEST_TEXT = 1000
STEPS = {"LRN": "norm", "MaxPool": "pool"}
# Operators of quantized graphs, or prefixes of their names.
QUANTIZED = ("QLinear", "QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QGemm")
INTEGER = ("ConvInteger", "MatMulInteger")


class _Node(NamedTuple):
    """An operation: its type, the names of its input tensors, its attributes."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


def read_onnx(path: Path) -> Content:
    """Read the kernels and biases of up to five Conv and three Gemm, and the steps after conv1."""
    nodes, tensors = _read_graph(memoryview(map_file(path)))
    for node in nodes:
        if node.operator.startswith(QUANTIZED) or node.operator in INTEGER:
            raise BadFile(
                f"is quantized, for it has {node.operator}; take the file of floats, which has no "
                "int8 or qdq in its name"
            )
    makers = {output: node.operator for node in nodes for output in node.outputs}
    layers = {}
    for kind, names in (("Conv", CONV_LAYERS), ("Gemm", FC_LAYERS)):
        found = [node for node in nodes if node.operator == kind]
        if len(found) > len(names):
            raise BadFile(f"has {len(found)} {kind}; AlexNet has {len(names)}")
        for name, node in zip(names, found):
            layers[name] = _kernel_and_bias(name, node, tensors, makers)
    if not layers:
        raise BadFile("has neither Conv nor Gemm; is it a network?")
    operators = [node.operator for node in nodes]
    if {"Conv", "Gemm"} <= set(operators):
        _check_inputs_of_fc6(operators)
    return Content(to_channels_last(layers), _order(operators))


def _read_graph(model: memoryview) -> tuple[list[_Node], dict[str, Any]]:
    """Return the nodes, and the TensorProto of each initializer and Constant, by name."""
    nodes: list[_Node] = []
    tensors: dict[str, Any] = {}
    for number, graph in fields(model):
        if number != MODEL_GRAPH:
            continue
        for field, message in fields(graph):
            if field == GRAPH_NODE:
                node = _node(message)
                nodes.append(node)
                if node.operator == "Constant" and node.outputs:
                    tensors[node.outputs[0]] = node.attributes.get("value")
            elif field == GRAPH_INITIALIZER:
                tensors[_last(message, NAME, _text, "")] = message
            if len(nodes) + len(tensors) > MOST:
                raise BadFile(f"has more than {MOST} nodes and tensors; AlexNet has fewer")
    return nodes, tensors


def _node(message: memoryview) -> _Node:
    node = _Node(_last(message, NODE_OP_TYPE, _text, ""), [], [], {})
    for field, value in fields(message):
        if field == NODE_INPUT:
            node.inputs.append(_text(value))
        elif field == NODE_OUTPUT:
            node.outputs.append(_text(value))
        elif field == NODE_ATTRIBUTE:
            name = _last(value, ATTRIBUTE_NAME, _text, "")
            node.attributes[name] = _attribute(value)
        if len(node.inputs) + len(node.outputs) + len(node.attributes) > MOST_OF_A_NODE:
            raise BadFile(f"has a {node.operator} with too many tensors for AlexNet")
    return node


def _attribute(message: memoryview) -> Any:
    """Return an attribute that is an integer, a float or a tensor; None for other types."""
    found = None
    for field, value in fields(message):
        if field in (ATTRIBUTE_I, ATTRIBUTE_T):
            found = value
        elif field == ATTRIBUTE_F:
            found = float(numbers(value, "<f4")[-1])
    return found


def _kernel_and_bias(
    name: str, node: _Node, tensors: dict[str, Any], makers: dict[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel (out, in / groups, height, width) or (out, in), and a bias."""
    if len(node.inputs) != 3:
        raise BadFile(f"{name} should have an input, a kernel and a bias")
    kernel, bias = (
        _stored(name, tensor, tensors, makers.get(tensor, "the caller"))
        for tensor in node.inputs[1:]
    )
    for attribute in ("alpha", "beta"):
        if node.attributes.get(attribute, 1.0) != 1:
            raise BadFile(f"multiplies the products of {name} by an {attribute}, which is not read")
    if node.operator == "Gemm" and not node.attributes.get("transB"):
        kernel = kernel.T
    return kernel, bias.reshape(-1)


def _stored(name: str, tensor: str, tensors: dict[str, Any], maker: str) -> np.ndarray:
    if tensors.get(tensor) is None:
        raise BadFile(
            f"does not hold the numbers of {name}: '{tensor}' comes from {maker}; weights are read "
            "from initializers and Constants"
        )
    return _array(name, tensors[tensor])


def _check_inputs_of_fc6(operators: list[str]) -> None:
    """Refuse a graph that does not show whether the inputs of fc6 are flattened channels-first."""
    last = len(operators) - 1 - operators[::-1].index("Conv")
    if "Transpose" in operators[last : operators.index("Gemm")]:
        raise BadFile(
            "has a Transpose between its convolutions and fc6, which leaves the order of fc6's "
            "inputs open"
        )


def _order(operators: list[str]) -> tuple[str, ...] | None:
    """Return the steps between conv1 and conv2; None for a graph without both convolutions."""
    convolutions = [place for place, name in enumerate(operators) if name == "Conv"][:2]
    if len(convolutions) < 2:
        return None
    between = operators[slice(*convolutions)]
    return tuple(STEPS[operator] for operator in between if operator in STEPS)


def _array(name: str, message: memoryview) -> np.ndarray:
    """Return a TensorProto's values in its shape: a view of the file if they are contiguous."""
    shape, data_type, raw = [], None, None
    typed: dict[int, list[np.ndarray]] = {field: [] for field in TYPED}
    for field, value in fields(message):
        if field == DIMS:
            shape += [value] if isinstance(value, int) else _dimensions(value)
        elif field == DATA_TYPE:
            data_type = value
        elif field == RAW_DATA:
            raw = value
        elif field in typed:
            typed[field].append(numbers(value, TYPED[field]))
        elif field == DATA_LOCATION and value == EXTERNAL:
            raise BadFile(
                f"keeps the numbers of {name} in another file (external data); write it as one "
                "file: onnx.save(onnx.load(FILE), 'whole.onnx')"
            )
        if len(shape) > MOST_OF_A_NODE:
            raise BadFile(f"is damaged: the shape of {name} has too many dimensions")
    if data_type not in TYPES:
        raise BadFile(
            f"has {name} in numbers of ONNX's type {data_type}; float (1), float16 (10), double "
            "(11) and bfloat16 (16) are read"
        )
    dtype = TYPES[data_type]
    data = concatenated(_typed(name, dtype, typed) if raw is None else [np.frombuffer(raw, dtype)])
    if math.prod(shape) != data.size:
        raise BadFile(f"is damaged: {name} of shape {tuple(shape)} holds {data.size} numbers")
    return as_floats(data).reshape(shape)


def _typed(name: str, dtype: np.dtype, typed: dict[int, list[np.ndarray]]) -> list[np.ndarray]:
    for field, found in typed.items():
        if dtype is TYPED[field] and found:
            return found
    raise BadFile(
        f"has no numbers for {name} where its type has them; those of 16 bits are read as raw_data"
    )


def _dimensions(packed: memoryview) -> list[int]:
    if len(packed) > MOST_OF_A_NODE * 10:
        raise BadFile(f"is damaged: a shape takes {len(packed)} bytes")
    return list(varints(packed))


def _last(message: memoryview, number: int, read: Callable[[Any], Any], default: Any) -> Any:
    """Return the last value of field `number` in a message, which is the valid one in protobuf."""
    found = default
    for field, value in fields(message):
        if field == number:
            found = read(value)
    return found


def _text(value: Any) -> str:
    if not isinstance(value, memoryview) or len(value) > LONGEST_TEXT:
        raise BadFile("is damaged: a name in it is no text")
    return str(value, "utf-8")
