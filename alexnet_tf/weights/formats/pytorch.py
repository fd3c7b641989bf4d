"""PyTorch's ``.pth``, ``.pt`` and ``.pth.tar``, written by `torch.save` and read without PyTorch:
the zip of PyTorch 1.6 and later (``data.pkl`` and ``data/KEY``), and the older format, pickles
followed by the values, even from Python 2."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.system.pickles import ARRAYS, Named, RestrictedUnpickler, text, whole_numbers
from alexnet_tf.weights import BFLOAT16, Content, as_floats
from alexnet_tf.weights.formats.mapped import map_file, map_members
from alexnet_tf.weights.formats.torchvision import layer_and_part, read_layers

# torch/serialization.py: the first pickle of the older format.
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
# The dtype of each class in torch and torch.cuda; checkpoints hold integers beside the layers.
STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "DoubleStorage": np.dtype("<f8"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class _Storage(NamedTuple):
    """A one-dimensional array of `size` elements, named by the persistent id of a pickle. A view of
    another storage begins at that one's element `start`."""

    key: str
    dtype: np.dtype
    size: int
    start: int


class _Tensor(NamedTuple):
    """A part of a storage. Offset and strides count elements, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pytorch(path: Path) -> Content:
    """Read the layers of torchvision's AlexNet, all or only some of them."""
    return Content(read_layers(read_tensors(path)))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors by name, from a state dict or from the one in a checkpoint."""
    with open(path, "rb") as file:
        read = _read_zip if file.read(2) == b"PK" else _read_pickles
    content, storages = read(path)
    arrays = {}
    for name, tensor in _state_dict(content).items():
        if not isinstance(tensor, _Tensor):
            raise BadFile(f"has an entry '{name}' among its tensors that is none")
        arrays[str(name)] = _array(tensor, storages)
    return arrays


def _state_dict(content: Any) -> Named:
    """Find the dict of AlexNet's layers in `content`; otherwise the outermost dict with tensors."""
    waiting, seen, found = [content], set(), []
    for each in waiting:  # grows during the loop; dicts may contain each other
        if isinstance(each, Named) and id(each) not in seen:
            seen.add(id(each))
            if any(isinstance(value, _Tensor) for value in each.values()):
                found.append(each)
            waiting += [value for value in each.values() if isinstance(value, Named)]
    if not found:
        raise BadFile("holds no state dict; write one by torch.save(model.state_dict(), FILE)")
    layers = (each for each in found if any(layer_and_part(str(name)) for name in each))
    return next(layers, found[0])


def _read_zip(path: Path) -> tuple[Any, dict[str, memoryview]]:
    members = {name.partition("/")[2]: content for name, content in map_members(path).items()}
    if "data.pkl" not in members:
        raise BadFile("is a zip that torch.save did not write: it lacks data.pkl in a folder")
    content = RestrictedUnpickler(io.BytesIO(members["data.pkl"]), _ALLOWED, _storage).load()
    if bytes(members.get("byteorder", b"little")) != b"little":
        raise BadFile(
            "was written by a big-endian machine, whose numbers are not read; load it with PyTorch "
            "on this one, and save it again"
        )
    return content, {name.removeprefix("data/"): content for name, content in members.items()}


def _read_pickles(path: Path) -> tuple[Any, dict[str, memoryview]]:
    file, sizes, storages = map_file(path), {}, {}

    def storage(identity: tuple[Any, ...]) -> _Storage:
        found = _storage(identity)
        sizes[found.key] = found.dtype.itemsize * found.size
        return found

    def load() -> Any:
        return RestrictedUnpickler(file, _ALLOWED, storage).load()

    if load() != MAGIC_NUMBER:
        raise BadFile("is neither a zip nor pickles that torch.save wrote")
    _protocol, _system, content, keys = (load() for _ in range(4))
    for key in map(text, keys):
        start = file.tell() + 8  # after the number of elements, an int64
        storages[key] = memoryview(file)[start : start + sizes[key]]
        file.seek(start + sizes[key])
    return content, storages


def _storage(identity: tuple[Any, ...]) -> _Storage:
    """Replace torch's persistent_load."""
    kind, dtype, key, _device, size, *view = identity
    if text(kind) != "storage" or not isinstance(dtype, np.dtype):
        raise BadFile("is damaged: it refers to something that is no storage of numbers")
    whole_numbers((size,))
    start = 0
    if view and view[0] is not None:  # (its own key, start, size)
        _, start, _ = view[0]
        whole_numbers((start,))
    return _Storage(text(key), dtype, size, start)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> _Tensor:
    """Replace torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    whole_numbers((offset,))
    return _Tensor(storage, offset, whole_numbers(shape), whole_numbers(strides))


_ALLOWED = {
    ("collections", "OrderedDict"): Named,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_gradient: tensor,
    # Such as an accuracy in a checkpoint.
    ("numpy.core.multiarray", "scalar"): lambda _dtype, _content: None,
    ("numpy", "dtype"): ARRAYS["numpy", "dtype"],
    ("_codecs", "encode"): ARRAYS["_codecs", "encode"],
    **{(m, name): dtype for m in ("torch", "torch.cuda") for name, dtype in STORAGES.items()},
}


def _array(tensor: _Tensor, storages: Mapping[str, memoryview]) -> np.ndarray:
    """Return a view of the file; numpy refuses one that exceeds its storage."""
    storage = tensor.storage
    numbers = np.frombuffer(storages[storage.key], storage.dtype)
    # With a stride of 0, one element could become any number of them.
    if math.prod(tensor.shape) > numbers.size:
        raise BadFile(
            f"is damaged: a tensor of shape {tensor.shape} in a storage of {numbers.size} numbers"
        )
    size, offset = storage.dtype.itemsize, storage.start + tensor.offset
    strides = [stride * size for stride in tensor.strides]
    return as_floats(np.ndarray(tensor.shape, storage.dtype, numbers, offset * size, strides))
