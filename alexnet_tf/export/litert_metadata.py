"""Metadata of a LiteRT file, for the tools of apps: RGB input, and the labels.

TensorFlow's ``metadata_schema.fbs`` (tflite-support, 1.1.0) defines the tables and their fields;
TFLite's Task Library, MediaPipe and ML Kit read them. The labels are a file in a zip archive that
is appended after the part that interpreters read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

NAME, LABELS = "TFLITE_METADATA", "labels.txt"
# Schema enums: ContentProperties, ColorSpaceType and AssociatedFileType.
FEATURE, IMAGE, RGB, AXIS_LABELS = 1, 2, 1, 2


def with_metadata(content: bytes, side: int, description: str) -> bytes:
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


def append_labels(path: Path, classes: Sequence[str]) -> None:
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
