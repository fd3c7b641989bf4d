"""README.txt beside an export: its inputs, its outputs, and five lines of code that use it.

Its first line names the export, which marks it as written by this program.
"""

from contextlib import suppress
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.export.network import ExportedNetwork
from alexnet_tf.system.files import is_regular, read_text, write_text
from alexnet_tf.system.text import printable

NAME, FIRST = "README.txt", "{}: exported by alexnet_tf"
# What TensorFlow writes to the folder of a SavedModel.
SAVED_MODEL = ("saved_model.pb", "fingerprint.pb", "variables", "assets")
# Number of class names in a line.
NAMED = 10
FORMATS = {
    "keras": """\
In:  float32 (n, {side}, {side}, {channels}), as alexnet_tf.preprocess_input returns it.
Out: float32 (n, {count}), the probabilities of the classes.
import dataclasses, alexnet_tf
from alexnet_tf.variants import get_variant

sizes = {{"image_size": {side}, "resized": {resized}}}
variant = dataclasses.replace(get_variant("{variant}"), **sizes)
pictures = alexnet_tf.load_image("cat.jpg", variant, "{resize}")[None]
model = alexnet_tf.load_model("{name}")
print(model.predict(alexnet_tf.preprocess_input(pictures, variant)))
""",
    "savedmodel": """\
In:  bytes, string (n,): JPEG, PNG, BMP, GIF or WebP files; or pixels, uint8 RGB (n, H, W, 3).
     A file that cannot be read fails all of its batch: an animated WebP, a BMP of 1, 4 or 16 bits,
     packed or of unusual masks, or of another format. Ignored: what is transparent in a GIF,
     orientation in a PNG's text.
Out: classes, string (n, {count}), and probabilities, float32 (n, {count}), in the same order.
import tensorflow as tf

network = tf.saved_model.load("{name}").signatures["serving_default"]  # or ["pixels"]
prediction = network(bytes=tf.constant([open("cat.jpg", "rb").read()]))
print(prediction["classes"][0], prediction["probabilities"][0])
""",
    "litert": """\
In:  pixels, uint8 RGB (n, H, W, 3), upright, of any size; it resizes and normalizes them itself.
Out: probabilities, float32 (n, {count}); the labels are in its metadata (labels.txt).
from ai_edge_litert.interpreter import Interpreter

network = Interpreter("{name}")
network.resize_tensor_input(network.get_input_details()[0]["index"], pixels.shape)
print(network.get_signature_runner()(pixels=pixels)["probabilities"])
""",
    "onnx": """\
In:  pixels, uint8 RGB (n, H, W, 3), upright, of any size; it resizes and normalizes them itself.
Out: probabilities, float32 (n, {count}); the labels are JSON in its metadata, "labels". And, if the
     run has it, novelty, float32 (n,): above 1, the picture is unlike everything it was taught.
import json, onnxruntime

network = onnxruntime.InferenceSession("{name}")
labels = json.loads(network.get_modelmeta().custom_metadata_map["labels"])
print(labels, network.run(["probabilities"], {{"pixels": pixels}})[0])
""",
    "html": """\
A page that predicts pictures, with or without the internet: open it with a browser of 2023 or
later. It sends nothing. ONNX Runtime, which is in it, is under the MIT license.
""",
}


def write_readme(path: Path, name: str, format: str, network: ExportedNetwork) -> None:
    """Write the README beside the export at `path`, or into it if it is a folder; `name` is what
    the export will be called."""
    classes, variant = network.classes, network.variant
    named = ", ".join(map(printable, classes[:NAMED])) + ", …" * (len(classes) > NAMED)
    text = FORMATS[format].format(
        name=printable(name),
        count=len(classes),
        channels=len(variant.channels),
        side=network.side,
        resized=network.cut.resized,
        resize=network.resize,
        variant=variant.name,
    )
    title = FIRST.format(printable(name))
    write_text(_free_place(path), f"{title}\n{text}Classes, in their order: {named}\n")


def check_export_path(path: Path) -> None:
    """Raise UserError if `path` exists and is not an export of this program."""
    if path.is_symlink():
        raise UserError(f"{path}: is a link, and no link is written through; name another place")
    if path.exists() and not _is_own(path):
        raise UserError(
            f"{path}: is there already, and not, or not only, what an export wrote, of which a "
            f"{NAME} would tell; give --out another name, or delete it"
        )
    _free_place(path)


def _is_own(path: Path) -> bool:
    if path.is_dir() and {each.name for each in path.iterdir()} - {NAME, *SAVED_MODEL}:
        return False
    return any(_is_about(path, place) for place in _places(path))


def _places(path: Path) -> tuple[Path, ...]:
    """Return the paths where an export's README may be: two exports may share a folder."""
    if path.is_dir():
        return (path / NAME,)
    return path.with_name(NAME), path.with_name(f"{path.name}.{NAME}")


def _free_place(path: Path) -> Path:
    for place in _places(path):
        if not (place.exists() or place.is_symlink()) or _is_about(path, place):
            return place
    raise UserError(f"{place}: is there already, and not about this export; delete it")


def _is_about(path: Path, place: Path) -> bool:
    with suppress(UserError):
        return is_regular(place) and read_text(place).startswith(
            f"{FIRST.format(printable(path.name))}\n"
        )
    return False
