"""torchvision's AlexNet: a ``.pth`` of `torch.save`, read without PyTorch.

Both formats are read: the zip of PyTorch 1.6 and later (``data.pkl`` and ``data/KEY``), and the one
before it, pickles followed by the numbers.
"""

from __future__ import annotations

import collections
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.system.pickles import Named, RestrictedUnpickler, text, whole_numbers
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats.channels_first import to_channels_last
from alexnet_tf.weights.formats.mapped import map_file, map_members

# torchvision/models/alexnet.py: places in the two nn.Sequential. A bias follows each weight.
LAYERS = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "fc8",
}
PARTS = ("weight", "bias")
# torch/serialization.py: the first of the older format's pickles.
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


class _Storage(NamedTuple):
    """A one-dimensional array in the file: the persistent id of a pickle names one."""

    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    """A part of a storage. Offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pytorch(path: Path) -> Content:
    """Read the state dict of torchvision's AlexNet, whole or only some of its layers."""
    read = _read_zip if zipfile.is_zipfile(path) else _read_pickles
    tensors, storages = read(path)
    layers: dict[str, dict[str, np.ndarray]] = collections.defaultdict(dict)
    for name, tensor in tensors.items():
        place, _, part = name.rpartition(".")
        if place not in LAYERS or part not in PARTS or not isinstance(tensor, _Tensor):
            raise BadFile(
                f"has an entry '{name}'; torchvision's AlexNet has "
                f"{', '.join(LAYERS)}, a weight and a bias in each"
            )
        layers[LAYERS[place]][part] = _array(tensor, storages)
    for name, parts in layers.items():
        if len(parts) < len(PARTS):
            raise BadFile(f"lacks the weight or the bias of {name}")
    pairs = {name: (parts["weight"], parts["bias"]) for name, parts in layers.items()}
    return Content(to_channels_last(pairs))


def _read_zip(path: Path) -> tuple[Mapping, dict[str, memoryview]]:
    members = {name.partition("/")[2]: content for name, content in map_members(path).items()}
    if "data.pkl" not in members:
        raise BadFile("is a zip that torch.save did not write: it lacks data.pkl")
    tensors = RestrictedUnpickler(io.BytesIO(members["data.pkl"]), _ALLOWED, _storage).load()
    return tensors, {name.removeprefix("data/"): content for name, content in members.items()}


def _read_pickles(path: Path) -> tuple[Mapping, dict[str, memoryview]]:
    file, sizes, content = map_file(path), {}, {}

    def storage(identity: tuple) -> _Storage:
        found = _storage(identity)
        sizes[found.key] = found.dtype.itemsize * found.size
        return found

    def load():
        return RestrictedUnpickler(file, _ALLOWED, storage).load()

    if load() != MAGIC_NUMBER:
        raise BadFile("is neither a zip nor pickles that torch.save wrote")
    _protocol, _system, tensors, keys = (load() for _ in range(4))
    for key in map(text, keys):
        start = file.tell() + 8  # after the number of its elements, an int64
        content[key] = memoryview(file)[start : start + sizes[key]]
        file.seek(start + sizes[key])
    return tensors, content


def _storage(identity: tuple) -> _Storage:
    """Stand in for torch's persistent_load."""
    kind, dtype, key, _device, size, *_view = identity
    if text(kind) != "storage" or not isinstance(dtype, np.dtype):
        raise BadFile("is damaged: it refers to something that is no storage of numbers")
    whole_numbers((size,))
    return _Storage(text(key), dtype, size)


def _rebuild_tensor(storage, offset, shape, strides, *_gradient) -> _Tensor:
    """Stand in for torch._utils._rebuild_tensor_v2."""
    whole_numbers((offset,))
    return _Tensor(storage, offset, whole_numbers(shape), whole_numbers(strides))


def _rebuild_parameter(tensor: _Tensor, *_gradient) -> _Tensor:
    """Stand in for torch._utils._rebuild_parameter."""
    return tensor


_ALLOWED = {
    ("collections", "OrderedDict"): Named,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "HalfStorage"): np.dtype("<f2"),
}


def _array(tensor: _Tensor, storages: Mapping[str, memoryview]) -> np.ndarray:
    """Return a view of the file; numpy refuses one that would reach beyond its storage."""
    dtype = tensor.storage.dtype
    numbers = np.frombuffer(storages[tensor.storage.key], dtype)
    # A stride of 0 would make any number of elements out of one.
    if math.prod(tensor.shape) > numbers.size:
        raise BadFile(
            f"is damaged: a tensor of shape {tensor.shape} in a storage of {numbers.size} numbers"
        )
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    return np.ndarray(tensor.shape, dtype, numbers, tensor.offset * dtype.itemsize, strides)
