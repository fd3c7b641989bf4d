"""Open files of pretrained weights safely, and check their layers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.starter import WEIGHTS_PATH, weights_path
from alexnet_tf.system import buckets
from alexnet_tf.system.program import command
from alexnet_tf.system.text import printable
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, Variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.recognize import Recognized, in_bgr, recognize

WEIGHTS_FOLDER = Path("weights")
# The published formats of BVLC AlexNet, in the order in which `make weights` tries them.
BVLC_FILES = ("bvlc_alexnet.npy", "bvlcalexnet-12.onnx", "bvlc_alexnet.caffemodel")


@dataclass(frozen=True)
class WeightsFile:
    """The `layers` in a file, whose name in messages is `path`; `order` and `slopes` are as in
    `Content`. If `was_rgb`, conv1 was made for RGB pictures, and its channels have been
    reversed."""

    path: str | Path
    layers: Weights
    order: tuple[str, ...] | None = None
    slopes: tuple[np.ndarray, ...] = ()
    was_rgb: bool = False

    def recognized(self) -> Recognized:
        """Identify the source of these weights."""
        return recognize(self.layers, self.order, weights_path(self.path) == WEIGHTS_PATH)

    def described(self) -> str:
        """Describe the source of these weights, and how they were changed."""
        warning = " in RGB order, turned into BGR" if self.was_rgb else ""
        return self.recognized().name + warning

    def check(self, variant: Variant, classes: int | None = None) -> Weights:
        """Return the layers of `variant`: conv1 … conv5 and, with a number of `classes`, fc6 … fc8.
        Raises BadFile if the weights are known to belong to another variant, or if a layer is
        missing, has another shape, or holds NaN or infinity; the message says which."""
        known = self.recognized()
        if known.variants and variant.name not in known.variants:
            raise BadFile(
                f"{self.path}: holds {known.name}, for the variant {' or '.join(known.variants)}, "
                f"not {variant.name}; give --variant {known.variants[0]} "
                f"(VARIANT={known.variants[0]} with make), or other weights"
            )
        return self.take(variant.conv_kernels() | (variant.fc_kernels(classes) if classes else {}))

    def take(self, kernels: dict[str, tuple[int, ...]]) -> Weights:
        """Return the layers whose kernels have these shapes; BadFile as in `check`."""
        for name, shape in kernels.items():
            self._check_layer(name, shape)
        return {name: self.layers[name] for name in kernels}

    def _check_layer(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise BadFile unless the layer `name` has a kernel of `shape` and only finite values."""
        if name not in self.layers:
            raise BadFile(
                f"{self.path}: lacks the layer {name}; "
                f"it has {', '.join(self.layers) or 'no layer at all'}"
            )
        for part, wanted, found in zip(("kernel", "bias"), (shape, shape[-1:]), self.layers[name]):
            if found.shape != wanted:
                warning = ""
                if name == "fc8" and found.shape[:-1] == wanted[:-1]:
                    warning = (
                        f": it knows {found.shape[-1]} classes; `{command('predict')} 1` takes "
                        "their names by --classes FILE, a name a line"
                    )
                raise BadFile(
                    f"{self.path}: the {part} of {name} should have the shape {wanted}, but has "
                    f"{found.shape}{warning}"
                )
            if not np.isfinite(found).all():
                raise BadFile(f"{self.path}: the {part} of {name} holds NaN or infinite values")


def find_weights(name: str | Path) -> Path:
    """Return the path of the weights file that `name` means: "starter" is the file that is part of
    this program; one in a bucket is fetched; in place of the default, weights/bvlc_alexnet.npy,
    another of `BVLC_FILES` is used if it is missing."""
    if buckets.is_in_bucket(name):
        from alexnet_tf.system.download import fetch_object  # takes its time

        with buckets.named(str(name)):
            found = buckets.find(str(name))
        return fetch_object(found[0], buckets.place_of(str(name), WEIGHTS_FOLDER))
    path = weights_path(name)
    if path == WEIGHTS_FOLDER / BVLC_FILES[0]:
        beside = (path.with_name(each) for each in BVLC_FILES)
        return next((each for each in beside if each.is_file()), path)
    return path


def existing_file(name: str | Path) -> Path:
    """Return the path from `find_weights`; BadFile if there is no such file."""
    file = find_weights(name)
    if file.is_dir():
        raise BadFile(f"{file}: is a folder, where a file of weights is expected")
    if not file.is_file():
        raise BadFile(
            f"{file}: there is no such file of weights; `{command('weights')}` fetches one, and "
            "--weights starter needs none"
        )
    return file


def open_weights(path: str | Path, variant: Variant, classes: int | None = None) -> Weights:
    """Read the layers of `variant` from the file `path`; BadFile as of `read_weights_file` and
    `WeightsFile.check`."""
    return read_weights_file(path).check(variant, classes)


def read_weights(path: str | Path) -> Weights:
    """Read all layers in the file `path`; see `read_weights_file`."""
    return read_weights_file(path).layers


def read_weights_file(path: str | Path, with_slopes: bool = False) -> WeightsFile:
    """Read the weights in the file `path`; the content, not the name, decides the format.

    Formats: ``.npy`` in the layout of bvlc_alexnet.npy, Caffe's ``.caffemodel``, ``.onnx``,
    torchvision's ``.pth`` and ``.safetensors``, our own ``.npz`` (`alexnet_tf.weights.formats.npz`)
    and Keras's ``.weights.h5`` and ``.keras``. The same weights give the same arrays from each
    format; most are read-only views of the mapped file. Raises BadFile for anything else, before
    any code in the file could run. PReLU slopes are refused too, unless `with_slopes`. See
    `find_weights` for names that are not paths.
    """
    # A prediction with LiteRT needs no weights, and this import would take a tenth of its time.
    from alexnet_tf.weights.formats import SUFFIXES, choose_reader

    file = existing_file(path)
    try:
        reader = choose_reader(file)
        if not reader:
            raise BadFile(
                "is damaged or not a file of weights; those that are read are usually called "
                f"{', '.join(SUFFIXES)}"
            )
        layers, order, slopes = reader(file)
        if slopes and not with_slopes:
            raise BadFile(
                "has slopes of prelu, which are not taken over; start from a network with another "
                "activation"
            )
        layers = {name: _kernel_and_bias(name, value) for name, value in layers.items()}
    except BadFile as error:
        raise BadFile(f"{file}: {printable(error)}") from None
    except MemoryError:  # not the file's fault
        raise
    except Exception as error:  # broken content may raise nearly anything
        raise BadFile(f"{file}: is damaged or not a file of weights ({error!r})") from error
    layers, was_rgb = in_bgr(layers)
    path = path if file == weights_path(path) else file
    return WeightsFile(path, layers, order, slopes, was_rgb)


def _kernel_and_bias(name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and bias of the layer `name` in float32; BadFile if `value` is none."""
    if name not in (*CONV_LAYERS, *FC_LAYERS):
        raise BadFile(
            f"has a layer '{name}'; AlexNet's are {', '.join(CONV_LAYERS)} and "
            f"{', '.join(FC_LAYERS)}"
        )
    try:
        kernel, bias = value
        if any(part.dtype.kind != "f" for part in (kernel, bias)):
            raise TypeError
    except (TypeError, ValueError, AttributeError) as error:
        raise BadFile(
            f"the layer '{name}' should be [kernel, bias], two arrays of floats"
        ) from error
    with np.errstate(over="ignore"):  # `check` reports the infinity
        return np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
