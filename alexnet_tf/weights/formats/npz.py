"""Our own ``.npz``: members LAYER/kernel and LAYER/bias, and LAYER/scale where they are int8."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from alexnet_tf.errors import WeightsError
from alexnet_tf.weights.formats.mapped import map_members
from alexnet_tf.weights.formats.npy import read_header

PARTS = ("kernel", "bias", "scale")


def read_npz(path: Path) -> dict:
    """As `numpy.savez` writes it. A kernel of int8 is multiplied by the scale of its output."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for member, content in map_members(path).items():
        name, _, part = member.removesuffix(".npy").partition("/")
        if part not in PARTS:
            raise WeightsError(
                f"has a member '{member}'; weights are LAYER/kernel, LAYER/bias and, for int8 "
                "kernels, LAYER/scale"
            )
        layers.setdefault(name, {})[part] = _array(content)
    return {name: _kernel_and_bias(name, parts) for name, parts in layers.items()}


def _array(content: memoryview) -> np.ndarray:
    # The header is at most 64 KiB long (format 1.0) and, for plain numbers, some hundred bytes.
    file = io.BytesIO(content[: 1 << 16])
    shape, is_fortran, dtype = read_header(file)
    flat = np.frombuffer(content[file.tell() :], dtype)
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _kernel_and_bias(name: str, parts: dict[str, np.ndarray]) -> list[np.ndarray]:
    missing = [part for part in ("kernel", "bias") if part not in parts]
    if missing:
        raise WeightsError(f"lacks the {missing[0]} of {name}")
    kernel, scale = parts["kernel"], parts.get("scale")
    if scale is None:
        return [kernel, parts["bias"]]
    if kernel.dtype != np.int8 or scale.shape != kernel.shape[-1:] or scale.dtype.kind != "f":
        raise WeightsError(
            f"the scale of {name} should be one number for each output of a kernel of int8"
        )
    return [kernel * scale.astype(np.float32), parts["bias"]]
