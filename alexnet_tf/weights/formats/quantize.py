"""Weights in a quarter of the bytes: whole numbers of 8 bits and a scale for each output."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alexnet_tf.system.files import replacing
from alexnet_tf.weights.loading import Weights

# Of -127 to 127, so that both signs reach as far.
LARGEST = 127


def quantize(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`kernel` (…, out) as int8 of its shape and a scale, float32 (out,), by which to multiply.

    The product differs from `kernel` by half a scale at most.
    """
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    scale = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
    return np.rint(kernel / scale).astype(np.int8), scale


def write_int8(weights: Weights, path: Path) -> None:
    """Write `weights` as the .npz that `alexnet_tf.weights.formats.npz` reads, kernels as int8."""
    arrays = {}
    for name, (kernel, bias) in weights.items():
        arrays[f"{name}/kernel"], arrays[f"{name}/scale"] = quantize(kernel)
        arrays[f"{name}/bias"] = bias
    with replacing(path, sum(array.nbytes for array in arrays.values())) as temporary:
        np.savez(temporary, **arrays)
