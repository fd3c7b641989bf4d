"""Our own ``.npz``: members LAYER/kernel and LAYER/bias and, for int8 kernels, which take a quarter
of the space, LAYER/scale with a scale for each output. An optional member `order`, text as bytes,
gives the order of the steps between conv1 and conv2."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.system.files import atomic_write
from alexnet_tf.weights import Content, Weights, order_of, order_text
from alexnet_tf.weights.formats.mapped import map_members
from alexnet_tf.weights.formats.npy import read_header

ORDER = "order"
PARTS = ("kernel", "bias", "scale")
# Symmetric, -127 to 127.
LARGEST_INT8 = 127


def read_npz(path: Path) -> Content:
    """Read a file that `numpy.savez` wrote; multiply int8 kernels by their scales."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    order = None
    for member, content in map_members(path).items():
        name, _, part = member.removesuffix(".npy").partition("/")
        if name == ORDER and not part:
            order = order_of(str(bytes(_array(content)), "latin-1"))
            continue
        if part not in PARTS:
            raise BadFile(
                f"has a member '{member}'; weights are LAYER/kernel, LAYER/bias and, for int8 "
                "kernels, LAYER/scale"
            )
        layers.setdefault(name, {})[part] = _array(content)
    return Content({name: _kernel_and_bias(name, parts) for name, parts in layers.items()}, order)


def write_npz(weights: Weights, order: tuple[str, ...] | None, path: Path) -> None:
    """Write `weights` unchanged, in the format of `read_npz`."""
    arrays = {f"{name}/kernel": kernel for name, (kernel, _) in weights.items()}
    arrays |= {f"{name}/bias": bias for name, (_, bias) in weights.items()}
    if order:
        arrays[ORDER] = np.frombuffer(order_text(order).encode(), np.uint8)
    _save(arrays, path)


def write_int8(weights: Weights, path: Path) -> None:
    """Write `weights` in the format of `read_npz`, with int8 kernels."""
    arrays = {}
    for name, (kernel, bias) in weights.items():
        arrays[f"{name}/kernel"], arrays[f"{name}/scale"] = quantize(kernel)
        arrays[f"{name}/bias"] = bias
    _save(arrays, path)


def quantize(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantize `kernel` (…, out): return int8 of its shape, and float32 scales (out,). Their
    product differs from `kernel` by half a scale at most."""
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    scale = np.where(largest > 0, largest / LARGEST_INT8, 1).astype(np.float32)
    return np.rint(kernel / scale).astype(np.int8), scale


def _save(arrays: dict[str, Any], path: Path) -> None:
    with atomic_write(path, sum(array.nbytes for array in arrays.values())) as temporary:
        np.savez(temporary, **arrays)


def _array(content: memoryview) -> np.ndarray:
    # The header has at most 64 KiB (format 1.0) and, for plain numbers, about a hundred bytes.
    file = io.BytesIO(content[: 1 << 16])
    shape, is_fortran, dtype = read_header(file)
    flat = np.frombuffer(content[file.tell() :], dtype)
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _kernel_and_bias(name: str, parts: dict[str, np.ndarray]) -> list[np.ndarray]:
    missing = [part for part in ("kernel", "bias") if part not in parts]
    if missing:
        raise BadFile(f"lacks the {missing[0]} of {name}")
    kernel, scale = parts["kernel"], parts.get("scale")
    if scale is None:
        return [kernel, parts["bias"]]
    if kernel.dtype != np.int8 or scale.shape != kernel.shape[-1:] or scale.dtype.kind != "f":
        raise BadFile(f"the scale of {name} should be one number for each output of an int8 kernel")
    return [kernel * scale.astype(np.float32), parts["bias"]]
