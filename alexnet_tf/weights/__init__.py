"""Pretrained weights: find, read safely and check them.

`Weights` is a dict, layer name → (kernel, bias), both float32. Kernels are (height, width, in /
groups, out) for convolutions and (in, out) for fc6 … fc8; the inputs of fc6 are flattened
channels-last.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


class Content(NamedTuple):
    """The layers that a reader finds in a file, unchecked: as in `Weights`, but of any float type.
    `order` is that of the steps "norm" and "pool" between conv1 and conv2, None if the file says
    nothing. `slopes` are those of PReLU, in the order of the layers."""

    layers: dict[str, Any]
    order: tuple[str, ...] | None = None
    slopes: tuple[Any, ...] = ()


# The names of the steps between conv1 and conv2 in files.
STEPS = ("norm", "pool")


# bfloat16, which NumPy lacks: the upper half of a float32.
BFLOAT16 = np.dtype("<u2", metadata={"is": "bfloat16"})


def as_floats(numbers: np.ndarray) -> np.ndarray:
    """Return `numbers` unchanged, or, if their type is `BFLOAT16`, as float32 in new memory."""
    if not numbers.dtype.metadata:
        return numbers
    return (numbers.astype("<u4") << np.uint32(16)).view("<f4")


def order_text(order: tuple[str, ...]) -> str:
    """Return the order of `Content` as files store it: "norm pool"."""
    return " ".join(order)


def order_of(text: object) -> tuple[str, ...] | None:
    """Parse the text that `order_text` returns; None for anything else."""
    steps = tuple(text[:20].split(" ")) if isinstance(text, str) else ()
    return steps if steps and set(steps) <= set(STEPS) else None


def fingerprint(weights: Weights) -> str:
    """Return the SHA-256 of the layers' values, in AlexNet's order; the same for every format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for array in weights[name]:
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()
