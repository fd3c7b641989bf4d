"""Files of pretrained weights: read without running what strangers put in them, checked, loaded.

Weights are a dict, layer name → (kernel, bias), both float32; kernels are (height, width, in /
groups, out) for convolutions and (in, out) for fc6 … fc8, whose inputs come place by place, the
channels of each together.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from alexnet_tf.errors import WeightsError
from alexnet_tf.starter import weights_path
from alexnet_tf.system.files import printable
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, Variant
from alexnet_tf.weights.formats import READERS
from alexnet_tf.weights.recognize import recognize

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


def read_weights(path: str | Path) -> Weights:
    """The weights in the file `path`, by layer name, in whichever format its suffix says.

    ``.npy`` in the layout of bvlc_alexnet.npy, Caffe's ``.caffemodel``, torchvision's ``.pth``, our
    own ``.npz`` (see `alexnet_tf.weights.formats.npz`) and Keras's ``.weights.h5`` and ``.keras``.
    The same weights give the same arrays from each; most are read-only views of the mapped file.
    Raises WeightsError for anything else, and before anything in the file could run. "starter" is
    the file that is part of this program.
    """
    path = weights_path(path)
    if not path.is_file():
        raise WeightsError(
            f"{path}: there is no such file of weights; `make weights` fetches one, and --weights "
            "starter --variant starter needs none"
        )
    if path.suffix not in READERS:
        raise WeightsError(f"{path}: weights are read from {', '.join(READERS)} files")
    try:
        layers = READERS[path.suffix](path)
        return {name: _kernel_and_bias(name, value) for name, value in layers.items()}
    except WeightsError as error:
        raise WeightsError(f"{path}: {printable(error)}") from None
    except Exception as error:  # broken content can raise nearly anything
        raise WeightsError(f"{path}: is damaged or not a file of weights ({error!r})") from error


def check_weights(
    weights: Weights, row: Variant, path: str | Path, classes: int | None = None
) -> Weights:
    """The layers of `weights` that the variant `row` asks for: conv1 … conv5 and, if the number of
    `classes` is given, fc6 … fc8.

    Raises WeightsError when the weights are known to be another variant's, naming that, and, naming
    layer, expected and found, when one is missing, has another shape or holds NaN or infinity.
    """
    known = recognize(weights, path)
    if known.variants and row.name not in known.variants:
        raise WeightsError(
            f"{path}: holds {known.name}, for the variant {' or '.join(known.variants)}, not "
            f"{row.name}; give --variant {known.variants[0]} (VARIANT={known.variants[0]} with "
            "make), or other weights"
        )
    kernels = row.conv_kernels() | (row.fc_kernels(classes) if classes else {})
    for name, shape in kernels.items():
        if name not in weights:
            raise WeightsError(
                f"{path}: lacks the layer {name}; it has {', '.join(weights) or 'no layer at all'}"
            )
        for part, expected, found in zip(("kernel", "bias"), (shape, shape[-1:]), weights[name]):
            if found.shape != expected:
                raise WeightsError(
                    f"{path}: the {part} of {name} should have the shape {expected}, but has "
                    f"{found.shape}"
                )
            if not np.isfinite(found).all():
                raise WeightsError(f"{path}: the {part} of {name} holds NaN or infinite values")
    return {name: weights[name] for name in kernels}


def load_weights(model, weights: Weights) -> None:
    """Set the layers of a Keras `model` that are named in `weights`."""
    for name, (kernel, bias) in weights.items():
        layer = model.get_layer(name)
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)


def fingerprint(weights: Weights) -> str:
    """SHA-256 over the layers' values, in AlexNet's order: the same for every file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for array in weights[name]:
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def _kernel_and_bias(name: str, value) -> tuple[np.ndarray, np.ndarray]:
    if name not in (*CONV_LAYERS, *FC_LAYERS):
        raise WeightsError(
            f"has a layer '{name}'; AlexNet's are {', '.join(CONV_LAYERS)} and "
            f"{', '.join(FC_LAYERS)}"
        )
    try:
        kernel, bias = value
        if any(part.dtype.kind != "f" for part in (kernel, bias)):
            raise TypeError
    except (TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"the layer '{name}' should be [kernel, bias], two arrays of floats"
        ) from error
    with np.errstate(over="ignore"):  # to infinity, which `check_weights` names
        return np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
