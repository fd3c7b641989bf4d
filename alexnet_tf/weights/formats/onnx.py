"""ONNX: a ModelProto, whose graph has AlexNet's convolutions and matrix products in their order.
The field numbers are from ONNX's onnx/onnx.proto."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS
from alexnet_tf.weights import BFLOAT16, Content, as_floats
from alexnet_tf.weights.formats.channels_first import to_channels_last
from alexnet_tf.weights.formats.mapped import map_file
from alexnet_tf.weights.formats.protobuf import floats, integers, last, read_message, text

# The fields of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto that are read.
MODEL = {7: "graph"}
GRAPH = {1: "node", 5: "initializer"}
NODE = {1: "input", 2: "output", 4: "op_type", 5: "attribute"}
ATTRIBUTE = {1: "name", 2: "f", 3: "i", 5: "t"}
TENSOR = {
    1: "dims", 2: "data_type", 4: "float_data", 8: "name", 9: "raw_data", 10: "double_data",
    14: "data_location",
}  # fmt: skip
EXTERNAL = 1
TYPES: dict[int, np.dtype] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    16: BFLOAT16,
}
# The fields of values that are not in raw_data, by type.
TYPED = {1: "float_data", 11: "double_data"}
# AlexNet has about thirty nodes and sixteen initializers.
MOST = 1000
# A node has a few tensors and attributes, and a tensor a few fields.
MOST_OF_A_NODE = 40
STEPS = {"LRN": "norm", "MaxPool": "pool"}
# Operators of quantized graphs, or prefixes of their names.
QUANTIZED = ("QLinear", "QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QGemm")
INTEGER = ("ConvInteger", "MatMulInteger")


class _Node(NamedTuple):
    """An operation: its type, the names of its input and output tensors, its attributes."""

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


def _read_graph(model: memoryview) -> tuple[list[_Node], dict[str, memoryview]]:
    """Return the nodes, and the TensorProto of each initializer and Constant, by name."""
    graph = read_message(last(read_message(model, MODEL, MOST)["graph"]), GRAPH, MOST)
    nodes = [_node(message) for message in graph["node"]]
    tensors = {
        text(read_message(each, TENSOR, MOST_OF_A_NODE)["name"]): each
        for each in graph["initializer"]
    }
    constants = [
        node for node in nodes if node.operator == "Constant" and "value" in node.attributes
    ]
    return nodes, tensors | {node.outputs[0]: node.attributes["value"] for node in constants}


def _node(message: memoryview) -> _Node:
    node = read_message(message, NODE, MOST_OF_A_NODE)
    inputs, outputs = ([text([name]) for name in node[field]] for field in ("input", "output"))
    return _Node(text(node["op_type"]), inputs, outputs, dict(map(_attribute, node["attribute"])))


def _attribute(message: memoryview) -> tuple[str, Any]:
    """Return name and value of an attribute: an integer, a float or a tensor; else None."""
    found = read_message(message, ATTRIBUTE, MOST_OF_A_NODE)
    value = floats(found["f"], "<f4")[-1] if found["f"] else last(found["i"] + found["t"])
    return text(found["name"]), value


def _kernel_and_bias(
    name: str, node: _Node, tensors: dict[str, memoryview], makers: dict[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel (out, in / groups, height, width) or (out, in), and a bias."""
    if len(node.inputs) != 3:
        raise BadFile(f"{name} should have an input, a kernel and a bias")
    for tensor in node.inputs[1:]:
        if tensor not in tensors:
            raise BadFile(
                f"does not hold the numbers of {name}: '{tensor}' comes from "
                f"{makers.get(tensor, 'the caller')}; weights are read from initializers and "
                "Constants"
            )
    kernel, bias = (_array(name, tensors[tensor]) for tensor in node.inputs[1:])
    for attribute in ("alpha", "beta"):
        if node.attributes.get(attribute, 1.0) != 1:
            raise BadFile(f"multiplies the products of {name} by an {attribute}, which is not read")
    if node.operator == "Gemm" and not node.attributes.get("transB"):
        kernel = kernel.T
    return kernel, bias.reshape(-1)


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
    tensor = read_message(message, TENSOR, MOST_OF_A_NODE)
    if last(tensor["data_location"]) == EXTERNAL:
        raise BadFile(
            f"keeps the numbers of {name} in another file (external data); write it as one "
            "file: onnx.save(onnx.load(FILE), 'whole.onnx')"
        )
    data_type = last(tensor["data_type"])
    if data_type not in TYPES:
        raise BadFile(
            f"has {name} in numbers of ONNX's type {data_type}; float (1), float16 (10), double "
            "(11) and bfloat16 (16) are read"
        )
    values = tensor["raw_data"][-1:] or tensor.get(TYPED.get(data_type, ""))
    if not values:
        raise BadFile(
            f"has no numbers for {name} where its type has them; those of 16 bits are read as "
            "raw_data"
        )
    shape, data = integers(tensor["dims"]), floats(values, TYPES[data_type])
    if math.prod(shape) != data.size:
        raise BadFile(f"is damaged: {name} of shape {shape} holds {data.size} numbers")
    return as_floats(data).reshape(shape)
