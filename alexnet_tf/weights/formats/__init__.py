"""One module for each format of weights; `alexnet_tf.weights.loading` is their only caller.

A reader takes a path and returns the `Content`: layer name → (kernel, bias), floats in the layout
that `alexnet_tf.weights` describes, as views of the mapped file wherever its layout allows. It runs
nothing that the file names and allocates nothing that the file only promises. For content that it
understands but cannot use it raises BadFile, a reason without the path; for broken content it may
raise anything.
"""

from __future__ import annotations

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

# What the formats are usually called.
SUFFIXES = (
    ".npy", ".caffemodel", ".onnx", ".pth", ".safetensors", ".npz", ".keras", ".weights.h5"
)  # fmt: skip
# How a file begins.
BEGINNINGS: dict[bytes, Reader] = {
    b"\x93NUMPY": read_npy,
    b"\x89HDF\r\n\x1a\n": read_h5,
    b"\x80": read_pytorch,  # the opcode that begins a pickle of protocol 2 or later
}
# Layers, the order of steps that `Content` has, and where to.
WRITERS = {".npz": write_npz, ".safetensors": write_safetensors}
ZIP = b"PK\x03\x04"
# Members by which a zip is known; torch.save puts its own into a folder.
MEMBERS: dict[str, Reader] = {"data.pkl": read_pytorch, "model.weights.h5": read_keras}


def choose_reader(path: Path) -> Reader | None:
    """Choose the reader of the file `path` by its content, whatever its name; None without one.

    Raises BadFile for a zip of something else, and may raise anything for a damaged one.
    """
    if not path.stat().st_size:
        return None
    file = memoryview(map_file(path))
    if file[: len(ZIP)] == ZIP:
        return _reader_of_zip(path)
    # The length of a header of JSON, as 8 bytes, of which the first may be that of a pickle.
    if file[8:9] == b"{" and file[5:8] == bytes(3):
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
    """Tell a ModelProto of ONNX from Caffe's NetParameter by the first record that only one has."""
    try:
        for number, value in protobuf.fields(file):
            if (number, type(value)) in ((1, int), (7, memoryview)):  # ir_version, graph
                return read_onnx
            if number in (1, 2, 100):  # name, layers, layer
                return read_caffemodel
    except (BadFile, IndexError):
        pass
    return None
