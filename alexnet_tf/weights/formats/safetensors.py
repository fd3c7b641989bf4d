"""Hugging Face's ``.safetensors``: a JSON header, followed by the values of all tensors. The format
is from github.com/huggingface/safetensors, README.md; the names are torchvision's."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.pickles import whole_numbers
from alexnet_tf.weights import BFLOAT16, Content, Weights, as_floats, order_of, order_text
from alexnet_tf.weights.formats.mapped import map_file
from alexnet_tf.weights.formats.torchvision import read_layers, write_layers

TYPES: dict[str, np.dtype] = {
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
# The format allows 100 MB. AlexNet's header has 16 entries of a hundred bytes, and two bytes of
# JSON may become a hundred in Python.
LONGEST_HEADER = 1 << 18
METADATA = "__metadata__"
# Our own metadata key: the order of the steps between conv1 and conv2.
ORDER = "alexnet_tf.order"


def read_safetensors(path: Path) -> Content:
    """Read the layers of torchvision's AlexNet, all or only some of them."""
    file = memoryview(map_file(path))
    size = int.from_bytes(file[:8], "little")
    if size > len(file) - 8:
        raise BadFile(f"is damaged or cut short: its header should have {size} bytes")
    if size > LONGEST_HEADER:
        raise BadFile(f"its header has {size} bytes, where AlexNet's has some thousand")
    header = json.loads(bytes(file[8 : 8 + size]), object_pairs_hook=_object)
    if not isinstance(header, dict):
        raise BadFile("is damaged: its header is no object")
    metadata = header.pop(METADATA, {})
    data = file[8 + size :]
    arrays, last = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = whole_numbers(tuple(entry["data_offsets"]))
        if not start <= end <= len(data):
            raise BadFile(
                f"is damaged or cut short: '{name}' lies at {start} to {end} of {len(data)} bytes"
            )
        if start < last:
            raise BadFile("is damaged: its tensors overlap")
        arrays[name], last = _array(name, entry, data[start:end]), end
    layers = read_layers(arrays)
    return Content(layers, order_of(metadata.get(ORDER) if isinstance(metadata, dict) else None))


def write_safetensors(weights: Weights, order: tuple[str, ...] | None, path: Path) -> None:
    """Write `weights`, float32, in the format of `read_safetensors`, with torchvision's names."""
    arrays, end = write_layers(weights), 0
    header: dict[str, dict[str, Any]] = {}
    if order:
        header[METADATA] = {ORDER: order_text(order)}
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # aligns the values
    with atomic_write(path, end) as temporary, open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array, "<f4").data)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object; duplicate names are refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadFile("is damaged: a name is twice in its header")
    return found


def _array(name: str, entry: dict[str, Any], data: memoryview) -> np.ndarray:
    """Return a view of the file, or a float32 copy for bfloat16."""
    shape = whole_numbers(tuple(entry["shape"]))
    if entry["dtype"] not in TYPES:
        raise BadFile(f"'{name}' is of type {entry['dtype']}; {', '.join(TYPES)} are read")
    dtype = TYPES[entry["dtype"]]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise BadFile(f"is damaged: '{name}' of shape {shape} has {len(data)} bytes")
    return as_floats(np.frombuffer(data, dtype)).reshape(shape)
