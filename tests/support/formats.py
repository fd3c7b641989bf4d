"""Weights, written in the formats that are read."""

from __future__ import annotations

import json
import pickle
import zipfile

import h5py
import numpy as np

from tests.support.caffe import field

# Names and numbers that others gave to what is in their files, written out here and not taken from
# the readers: else one that is wrong there would be written and read alike.
# torchvision/models/alexnet.py.
LAYERS = {
    "features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4",
    "features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8",
}  # fmt: skip
# keras/src/saving/saving_lib.py: the name of the class in snake case, and a number from the second.
GROUPS = {
    "grouped_conv2d": "conv1", "grouped_conv2d_1": "conv2", "grouped_conv2d_2": "conv3",
    "grouped_conv2d_3": "conv4", "grouped_conv2d_4": "conv5",
    "dense": "fc6", "dense_1": "fc7", "dense_2": "fc8",
}  # fmt: skip
# torch/serialization.py.
MAGIC_NUMBER = 119547037146038801333356
# How conv1 of the published weights begins: height, width, BGR, filters.
BVLC_CONV1 = (
    -0.0283153, -0.0719704, 0.00378898, -0.00111214, -0.0265042, 0.00748557, 0.0241357, 0.0227042,
)  # fmt: skip
CAFFENET_CONV1 = (
    -0.00121359, 0.01590686, -0.02502688, 0.01781426, -0.00298567, 0.00531839, 0.04448178,
    0.05172032,
)  # fmt: skip
# torchvision/models/alexnet.py, and what PyTorch prints of the first filter's first row.
TORCHVISION_KERNELS = {
    "conv1": (11, 11, 3, 64), "conv2": (5, 5, 64, 192), "conv3": (3, 3, 192, 384),
    "conv4": (3, 3, 384, 256), "conv5": (3, 3, 256, 256), "fc6": (9216, 4096),
}  # fmt: skip
TORCHVISION_CONV1 = {0: 0.11864, 1: 0.094069, 2: 0.095435, 8: 0.055822, 9: 0.021575, 10: 0.049963}


def write_npy(path, weights):
    """Write the layout of bvlc_alexnet.npy."""
    np.save(path, np.array({name: list(pair) for name, pair in weights.items()}, object))


def write_npy_of_dicts(path, weights):
    """Write what newer versions of caffe-tensorflow do."""
    layers = {name: {"weights": kernel, "biases": bias} for name, (kernel, bias) in weights.items()}
    np.save(path, np.array(layers, object))


def write_npz(path, weights):
    """Write our own format, in floats."""
    kernels = {f"{name}/kernel": kernel for name, (kernel, _) in weights.items()}
    np.savez(path, **kernels, **{f"{name}/bias": bias for name, (_, bias) in weights.items()})


def signed(weights, first_numbers):
    """Return `weights` with a conv1 that begins with these numbers."""
    kernel, bias = weights.get("conv1") or (np.zeros((11, 11, 3, 96), "f4"), np.zeros(96, "f4"))
    kernel = kernel.copy()
    kernel.flat[: len(first_numbers)] = first_numbers
    return weights | {"conv1": (kernel, bias)}


def torch_arrays(weights):
    """Return arrays by torchvision's names, in PyTorch's layout."""
    arrays = {}
    for place in (place for place in LAYERS if LAYERS[place] in weights):
        name = LAYERS[place]
        kernel, bias = weights[name]
        if name == "fc6":
            places = kernel.reshape(-1, weights["conv5"][0].shape[-1], kernel.shape[-1])
            kernel = places.transpose(1, 0, 2).reshape(kernel.shape)
        kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        arrays[f"{place}.weight"], arrays[f"{place}.bias"] = np.ascontiguousarray(kernel), bias
    return arrays


# NumPy type → PyTorch storage; bfloat16 is the upper half of a float32.
STORAGES = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<u2": "BFloat16Storage"}


def write_pth(
    path,
    weights,
    zipped=True,
    prefix="",
    dtype="<f4",
    cuda=False,
    pairs=False,
    first_version=False,
    checkpoint=False,
):
    """Write what torch.save does of a state dict, but for the pickle's memo.

    With a `prefix` before its names, in numbers of `dtype`, from a GPU, as Python 2's OrderedDict,
    with the first version's function, as one entry of the dict of a checkpoint.
    """
    arrays = {name: as_type(array, dtype) for name, array in torch_arrays(weights).items()}
    storage = b"ctorch" + b".cuda" * cuda + f"\n{STORAGES[dtype]}\n".encode()
    names = [f"{prefix}{name}" for name in arrays]
    tensors = [
        tensor(str(key), array.shape, storage=storage, first_version=first_version)
        for key, array in enumerate(arrays.values())
    ]
    ordered = b"ccollections\nOrderedDict\n"
    if pairs:
        entries = (b"](" + plain(name) + each + b"e" for name, each in zip(names, tensors))
        state = ordered + b"](" + b"".join(entries) + b"e\x85R"
    else:
        entries = (plain(name) + each for name, each in zip(names, tensors))
        state = ordered + b")R(" + b"".join(entries) + b"u"
    if checkpoint:
        optimizer = {"state": {0: {"step": 7}, 1: {}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
        state = b"}(" + plain("epoch") + plain(90) + plain("state_dict") + state
        state += plain("optimizer") + plain(optimizer) + b"u"
    state = b"\x80\x02" + state + b"."
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("alexnet/data.pkl", state)
            for key, array in enumerate(arrays.values()):
                archive.writestr(f"alexnet/data/{key}", array.tobytes())
    else:
        keys = [str(key) for key in range(len(arrays))]
        start = [pickle.dumps(item, 2) for item in (MAGIC_NUMBER, 1001, {})]
        numbers = [array.size.to_bytes(8, "little") + array.tobytes() for array in arrays.values()]
        path.write_bytes(b"".join([*start, state, pickle.dumps(keys, 2), *numbers]))


def as_type(array, dtype):
    """Return `array` in `dtype`; for "<u2" the upper halves of its numbers, which is bfloat16."""
    if dtype == "<u2":
        return (np.ascontiguousarray(array, "<f4").view("<u4") >> 16).astype(dtype)
    return array.astype(dtype)


def upper_halves(weights):
    """Return `weights` as bfloat16 keeps them, in float32."""
    return {
        name: tuple((as_type(each, "<u2").astype("<u4") << 16).view("<f4") for each in pair)
        for name, pair in weights.items()
    }


def tensor(key, shape, strides=None, storage=b"ctorch\nFloatStorage\n", first_version=False):
    """Return the opcodes of torch._utils._rebuild_tensor_v2 over the storage `key`.

    The first version's function knows no gradients.
    """
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    storage = b"(" + plain("storage") + storage
    storage += plain(key) + plain("cpu") + plain(int(np.prod(shape)))
    view = plain(0) + plain(shape) + plain(strides)
    if first_version:
        return b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"NtQ" + view + b"tR"
    view += plain(False) + b"N"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"tQ" + view + b"tR"


def plain(value):
    """Return the opcodes of a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def write_h5(path, weights):
    """Write what Keras's save_weights does, in the groups of an AlexNet."""
    with h5py.File(path, "w") as file:
        for group, name in GROUPS.items():
            variables = file.create_group(f"layers/{group}/vars")
            for number, array in enumerate(weights[name]):
                variables.create_dataset(str(number), data=array)


# ONNX's types of numbers, and the fields of a TensorProto that are for them.
ONNX_TYPES = {"<f4": (1, 4), "<f2": (10, None), "<f8": (11, 10), "<u2": (16, None)}


def write_onnx(
    path, weights, dtype="<f4", raw=True, constants=False, transposed=True, steps=("LRN", "MaxPool")
):
    """Write a ModelProto with a node for each layer, and `steps` after conv1.

    Its numbers are raw or not, in initializers or in Constants before the nodes; the kernels of the
    head have their outputs first where `transposed`.
    """
    nodes, tensors = [], {}
    for name, array in torch_arrays(weights).items():
        place, _, part = name.rpartition(".")
        layer = LAYERS[place]
        if part == "weight" and array.ndim == 2 and not transposed:
            array = np.ascontiguousarray(array.T)
        tensors[f"{layer}_{part}"] = onnx_tensor(f"{layer}_{part}", array, dtype, raw)
    last = "data"
    for layer in LAYERS.values():
        if layer not in weights:
            continue
        inputs = [last, f"{layer}_weight", f"{layer}_bias"]
        is_conv = layer.startswith("conv")
        attribute = field(1, b"transB") + field(3, int(transposed)) + field(20, 2)
        nodes.append(
            onnx_node("Conv" if is_conv else "Gemm", inputs, layer, [] if is_conv else [attribute])
        )
        last = layer
        for step in ("Relu", *(steps if layer == "conv1" else ())):
            nodes.append(onnx_node(step, [last], f"{layer}_{step}"))
            last = f"{layer}_{step}"
    stored = [field(5, each) for each in tensors.values()]
    if constants:
        values = {name: field(1, b"value") + field(5, each) for name, each in tensors.items()}
        made = [onnx_node("Constant", [], name, [value]) for name, value in values.items()]
        stored, nodes = [], [*made, *nodes]
    graph = b"".join([*(field(1, node) for node in nodes), field(2, b"alexnet"), *stored])
    path.write_bytes(field(1, 8) + field(2, b"tests") + field(7, graph) + field(8, field(2, 13)))


def onnx_node(operator, inputs, output, attributes=()):
    """Return a NodeProto."""
    records = [field(1, name.encode()) for name in inputs] + [field(2, output.encode())]
    records += [field(4, operator.encode()), *(field(5, each) for each in attributes)]
    return b"".join(records)


def onnx_tensor(name, array, dtype="<f4", raw=True):
    """Return a TensorProto."""
    number, typed = ONNX_TYPES[dtype]
    shape = b"".join(field(1, size) for size in array.shape)
    numbers = field(9 if raw else typed, as_type(array, dtype).tobytes())
    return shape + field(2, number) + field(8, name.encode()) + numbers


def write_safetensors(path, weights, dtype="F32", names=lambda name: name):
    """Write the header and the numbers by hand; its package, too, reads them."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in torch_arrays(weights).items():
        numbers = as_type(array, {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}[dtype])
        offsets = [len(data), len(data) + numbers.nbytes]
        header[names(name)] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        data += numbers.tobytes()
    path.write_bytes(safetensors(header, data))


def safetensors(header, data=b""):
    """Return the content of a .safetensors; `header` is what JSON has, or text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data
