"""LiteRT file for apps: pictures of any size to probabilities, with labels in its metadata.

The metadata are for the tools of apps (TFLite's Task Library, MediaPipe, ML Kit): RGB input, and
the labels, a file in a zip archive that is appended after the part that interpreters read. Tables
and fields are those of TensorFlow's ``metadata_schema.fbs`` (tflite-support, 1.1.0).
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from alexnet_tf.export.network import ExportedNetwork, without_xla
from alexnet_tf.export.resizing import views_of
from alexnet_tf.inference.litert.convert import convert
from alexnet_tf.system.quiet import silenced

NAME, LABELS = "TFLITE_METADATA", "labels.txt"
# Schema enums: ContentProperties, ColorSpaceType and AssociatedFileType.
FEATURE, IMAGE, RGB, AXIS_LABELS = 1, 2, 1, 2


def write(path: Path, network: ExportedNetwork, int8: bool = False) -> None:
    """Write the network as a ``.tflite``: float32, or int8 weights at a quarter of the size."""

    def of_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": network.predict(views_of(pixels, network))}

    pixels = tf.TensorSpec((None, None, None, 3), tf.uint8, "pixels")
    with without_xla():
        function = tf.function(of_pixels).get_concrete_function(pixels)
    described = f"AlexNet, which knows {len(network.classes)} classes"
    content = convert(function, network.weights, int8)
    path.write_bytes(_with_metadata(content, network.resized_side, described))
    _append_labels(path, network.classes)


def predict(path: Path, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Predict pictures, each uint8 RGB (H, W, 3), with a LiteRT file: float32 (n, classes)."""
    with silenced():
        interpreter = Interpreter(str(path))
        (pixels,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
        predictions = []
        for picture in pictures:
            interpreter.resize_tensor_input(pixels["index"], (1, *picture.shape))
            interpreter.allocate_tensors()
            interpreter.set_tensor(pixels["index"], picture[None])
            interpreter.invoke()
            predictions.append(interpreter.get_tensor(outputs["index"]))
    return np.concatenate(predictions)


def _with_metadata(content: bytes, side: int, description: str) -> bytes:
    """Add metadata on the input ``pixels`` and the outputs to a LiteRT file; the input shape is
    preset to `side` × `side` pixels, for programs that do not resize it."""
    model = schema.ModelT.InitFromPackedBuf(content)
    (graph,) = model.subgraphs
    graph.tensors[graph.inputs[0]].shape = [1, side, side, 3]
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = [*_metadata(side, description)]
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder(len(content) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _append_labels(path: Path, classes: Sequence[str]) -> None:
    """Append the labels of the outputs, one a line, to the LiteRT file `path`."""
    with zipfile.ZipFile(path, "a") as archive:  # uncompressed, as Android maps it
        archive.writestr(zipfile.ZipInfo(LABELS), "".join(f"{name}\n" for name in classes))


def _metadata(side: int, description: str) -> bytes:
    """Build a ModelMetadata table; a table is a dict, field number → value, a number a tuple."""
    size = {0: ("Uint32", side), 1: ("Uint32", side)}
    image = {0: ("Byte", IMAGE), 1: {0: ("Byte", RGB), 1: size}}
    pixels = {0: "pixels", 1: "RGB pictures of any size, 0 to 255", 3: image}
    labels = {0: LABELS, 1: "the classes, in their order", 2: ("Byte", AXIS_LABELS)}
    outputs = {
        0: "probabilities",
        1: "of each class",
        3: {0: ("Byte", FEATURE), 1: {}},
        6: [labels],
    }
    model = {0: "AlexNet", 1: description, 3: [{2: [pixels], 3: [outputs]}], 7: "1.0.0"}
    builder = flatbuffers.Builder()
    builder.Finish(_build(builder, model), b"M001")
    return bytes(builder.Output())


def _build(builder: flatbuffers.Builder, content: Any) -> int:
    """Write a string, a list of tables or a table; return its offset."""
    if isinstance(content, str):
        return builder.CreateString(content)
    if isinstance(content, list):
        places = [_build(builder, each) for each in content]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()
    fields = {
        number: field if isinstance(field, tuple) else _build(builder, field)
        for number, field in content.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for number, field in fields.items():
        if isinstance(field, tuple):
            kind, value = field
            getattr(builder, f"Prepend{kind}Slot")(number, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, field, 0)
    return builder.EndObject()
