"""Pretrained weights: found, read safely, checked.

`Weights` are a dict, layer name → (kernel, bias), both float32; kernels are (height, width, in /
groups, out) for convolutions and (in, out) for fc6 … fc8, whose inputs come place by place, the
channels of each together.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


class Content(NamedTuple):
    """What a reader of `alexnet_tf.weights.formats` finds in a file.

    `layers` are as `Weights`, but of any floats, and nobody has checked them yet. `order` is what
    the file says that the network does between conv1 and conv2, of "norm" and "pool"; None if it
    says nothing. `slopes` are those of prelu, in the order of the layers.
    """

    layers: dict[str, Any]
    order: tuple[str, ...] | None = None
    slopes: tuple[Any, ...] = ()


# The steps between conv1 and conv2, as files name them.
STEPS = ("norm", "pool")


def order_text(order: tuple[str, ...]) -> str:
    """Write the order of `Content` as a file keeps it: "norm pool"."""
    return " ".join(order)


def order_of(text: object) -> tuple[str, ...] | None:
    """Read what `order_text` wrote; None of anything else."""
    steps = tuple(text[:20].split(" ")) if isinstance(text, str) else ()
    return steps if steps and set(steps) <= set(STEPS) else None


def fingerprint(weights: Weights) -> str:
    """Return the SHA-256 of the layers' values, in AlexNet's order: the same for every format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for array in weights[name]:
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()
