"""Files of pretrained weights: read without running what strangers put in them, checked, loaded.

Weights are a dict, layer name → (kernel, bias), both float32; kernels are (height, width, in /
groups, out) for convolutions and (in, out) for fc6 … fc8.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


class WeightsError(UserError):
    """A file of weights that cannot be used."""


def read_weights(path: str | Path) -> Weights:
    """The weights in the file `path`, by layer name.

    Readable is the layout of ``bvlc_alexnet.npy``: a 0-d object array that holds a pickled dict,
    name → [kernel, bias], written by Python 2 or 3. Raises WeightsError for anything else, and
    before anything in the file could run.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file of weights; `make weights` fetches one")
    if path.suffix not in _READERS:
        raise WeightsError(f"{path}: weights are read from {', '.join(_READERS)} files")
    try:
        layers = _READERS[path.suffix](path)
    except WeightsError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise WeightsError(f"{path}: is damaged or not a file of weights ({error!r})") from error
    return {_text(name): _kernel_and_bias(path, name, value) for name, value in layers.items()}


def check_weights(
    weights: Weights, kernels: Mapping[str, tuple[int, ...]], path: str | Path
) -> Weights:
    """The layers of `weights` that `kernels` (layer name → kernel shape) asks for.

    Raises WeightsError, naming layer, expected and found, when one is missing, has another shape or
    holds NaN or infinity, and when `weights` has a layer that is none of AlexNet's.
    """
    unknown = sorted(set(weights) - {*CONV_LAYERS, *FC_LAYERS})
    if unknown:
        raise WeightsError(
            f"{path}: has a layer '{unknown[0]}'; AlexNet's are {', '.join(CONV_LAYERS)} and "
            f"{', '.join(FC_LAYERS)}"
        )
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


def _text(name: str | bytes) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else str(name)


def _kernel_and_bias(path: Path, name: str | bytes, value) -> tuple[np.ndarray, np.ndarray]:
    try:
        kernel, bias = value
        if any(part.dtype.kind != "f" for part in (kernel, bias)):
            raise TypeError
    except (TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path}: the layer '{_text(name)}' should be [kernel, bias], two arrays of floats"
        ) from error
    return np.asarray(kernel, np.float32), np.asarray(bias, np.float32)


def _read_npy(path: Path) -> dict:
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(file)
        if shape != () or not dtype.hasobject:
            raise WeightsError(
                f"{path}: holds an array of shape {shape}, where a pickled dict of layers "
                "(as in bvlc_alexnet.npy) is expected"
            )
        content = _ArrayUnpickler(path, file).load()
    layers = content.item() if isinstance(content, np.ndarray) else content
    if not isinstance(layers, dict):
        raise WeightsError(f"{path}: holds no dict of layers")
    return layers


_READERS = {".npy": _read_npy}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles arrays in dicts and lists. Every other name is refused before it is called."""

    def __init__(self, path: Path, file):
        # Python 2 strings, array contents among them, come back byte for byte as latin-1.
        super().__init__(file, encoding="latin-1")
        self.path = path

    def find_class(self, module: str, name: str):
        # numpy.core became numpy._core in NumPy 2.
        allowed = _ALLOWED.get((module.replace("numpy._core", "numpy.core"), name))
        if allowed is None:
            raise WeightsError(
                f"{self.path}: refused, for it asks to run '{module}.{name}', which no file of "
                "weights needs"
            )
        return allowed


def _empty_array(_subtype, _shape, _typecode) -> np.ndarray:
    """In place of numpy's _reconstruct: always empty, for the pickled state sets shape and data."""
    return np.empty(0, np.uint8)


def _encode_latin1(text: str, _encoding: str) -> bytes:
    """In place of codecs.encode, by which pickle protocol 2 spells bytes."""
    return text.encode("latin-1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    # Only passed on to _reconstruct; a string cannot be called to allocate anything.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode_latin1,
}
