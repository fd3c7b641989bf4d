"""Recognize whose weights a file holds, and which variants of AlexNet they fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alexnet_tf.variants import CONV_LAYERS, VARIANTS
from alexnet_tf.weights import Weights

BVLC = "BVLC AlexNet"
STARTER_WEIGHTS = "the starter, which knows cats and dogs"
# The first eight numbers of conv1's kernel in bvlc_alexnet.npy, which are as good as a signature.
BVLC_CONV1 = (
    -0.0283153, -0.0719704, 0.00378898, -0.00111214, -0.0265042, 0.00748557, 0.0241357, 0.0227042
)  # fmt: skip
# Room for the same weights in float16.
BVLC_TOLERANCE = 1e-3

# torchvision/models/alexnet.py.
TORCHVISION_KERNELS = {
    "conv1": (11, 11, 3, 64),
    "conv2": (5, 5, 64, 192),
    "conv3": (3, 3, 192, 384),
    "conv4": (3, 3, 384, 256),
    "conv5": (3, 3, 256, 256),
    "fc6": (9216, 4096),
}


class Recognized(NamedTuple):
    """A name for a person and the names of the variants that the weights are right for."""

    name: str
    variants: tuple[str, ...]


def recognize(
    layers: Weights, order: tuple[str, ...] | None = None, is_starter: bool = False
) -> Recognized:
    """Recognize whose weights `layers` are. No variants: there is none of their shapes.

    Known by values (BVLC AlexNet), by shapes (torchvision's), by the `order` of the steps between
    conv1 and conv2, where the file says it (CaffeNet pools before it normalizes), or because it
    `is_starter`, the program's own file.
    """
    if is_starter:
        return Recognized(STARTER_WEIGHTS, ("starter",))
    if _is_bvlc(layers):
        return Recognized(BVLC, ("bvlc",))
    shapes = {name: kernel.shape for name, (kernel, _) in layers.items()}
    if TORCHVISION_KERNELS.items() <= shapes.items():
        return Recognized("torchvision AlexNet", ("owt",))
    convolutions = {name: shape for name, shape in shapes.items() if name in CONV_LAYERS}
    if order == ("pool", "norm"):
        return Recognized("CaffeNet", ("caffenet",))
    variants = (
        variant.name
        for variant in VARIANTS.values()
        if variant.conv_kernels() == convolutions and order in (None, variant.after_conv[0])
    )
    return Recognized("unknown weights", tuple(variants))


def _is_bvlc(layers: Weights) -> bool:
    first = layers["conv1"][0].flat[: len(BVLC_CONV1)] if "conv1" in layers else ()
    return len(first) == len(BVLC_CONV1) and np.allclose(first, BVLC_CONV1, BVLC_TOLERANCE, 0)
