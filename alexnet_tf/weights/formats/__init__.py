"""Readers of weights, one module per file format; only `alexnet_tf.weights.loading` calls them.

A reader takes a path and returns the `Content`: layer name → (kernel, bias), floats in the layout
of `alexnet_tf.weights`, as views of the mapped file if its layout allows. It executes nothing that
the file names, and allocates no memory on the word of the file alone: the formats' own libraries do
one or the other, or are PyTorch and Caffe. It raises BadFile, a reason without the path, for
content that it understands but cannot use; broken content may raise anything.
"""

from collections.abc import Callable
from pathlib import Path

from alexnet_tf.errors import BadFile
from alexnet_tf.weights import Content
from alexnet_tf.weights.formats import protobuf
from alexnet_tf.weights.formats.caffemodel import read_caffemodel
from alexnet_tf.weights.formats.hdf5 import read_h5, read_keras
from alexnet_tf.weights.formats.mapped import map_file, member_names
from alexnet_tf.weights.formats.npy import read_npy
from alexnet_tf.weights.formats.npz import read_npz, write_npz
from alexnet_tf.weights.formats.onnx import read_onnx
from alexnet_tf.weights.formats.pytorch import read_pytorch
from alexnet_tf.weights.formats.safetensors import read_safetensors, write_safetensors

Reader = Callable[[Path], Content]

SUFFIXES = (
    ".npy", ".caffemodel", ".onnx", ".pth", ".safetensors", ".npz", ".keras", ".weights.h5"
)  # fmt: skip
BEGINNINGS: dict[bytes, Reader] = {
    b"\x93NUMPY": read_npy,
    b"\x89HDF\r\n\x1a\n": read_h5,
    b"\x80": read_pytorch,  # the opcode that begins a pickle of protocol 2 or later
}
# Writers take the layers, the `order` of `Content`, and the path.
WRITERS = {".npz": write_npz, ".safetensors": write_safetensors}
ZIP = b"PK\x03\x04"
# The members that identify a zip; torch.save puts its own into a folder.
MEMBERS: dict[str, Reader] = {"data.pkl": read_pytorch, "model.weights.h5": read_keras}


def choose_reader(path: Path) -> Reader | None:
    """Return the reader of the file `path`, chosen by content, not by name; None for other files.
    Raises BadFile for a zip of another kind, and may raise anything for a damaged one."""
    if not path.stat().st_size:
        return None
    file = memoryview(map_file(path))
    if file[: len(ZIP)] == ZIP:
        return _reader_of_zip(path)
    # safetensors: 8 bytes with the length of the JSON header; the first may look like a pickle.
    if bytes(file[5:9]) == b"\0\0\0{":
        return read_safetensors
    for beginning, reader in BEGINNINGS.items():
        if file[: len(beginning)] == beginning:
            return reader
    return _reader_of_messages(file)


def _reader_of_zip(path: Path) -> Reader:
    names = [name.rpartition("/")[2] for name in member_names(path)]
    for name, reader in MEMBERS.items():
        if name in names:
            return reader
    if all(name.endswith(".npy") for name in names):
        return read_npz
    raise BadFile(
        "is a zip of something else: torch.save writes data.pkl, Keras 3 model.weights.h5, and "
        "weights of this program are LAYER/kernel.npy and LAYER/bias.npy"
    )


def _reader_of_messages(file: memoryview) -> Reader | None:
    """Distinguish ONNX's ModelProto from Caffe's NetParameter by the first field unique to one."""
    try:
        for number, value in protobuf.fields(file):
            if (number, type(value)) in ((1, int), (7, memoryview)):  # ir_version, graph
                return read_onnx
            if number in (1, 2, 100):  # name, layers, layer
                return read_caffemodel
    except (BadFile, IndexError):
        pass
    return None
