"""Whose weights a file holds, and which variants of AlexNet they fit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet_tf.starter import WEIGHTS, weights_path
from alexnet_tf.variants import CONV_LAYERS, VARIANTS
from alexnet_tf.weights.formats.caffemodel import order_after_conv1

BVLC = "BVLC AlexNet"
STARTER = "the starter, which knows cats and dogs"
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


def recognize(weights, path: str | Path) -> Recognized:
    """What `weights`, read from `path`, are. No variants: there is none of their shapes.

    Known by values (BVLC AlexNet), by shapes (torchvision's), by the order of the layers in a
    .caffemodel (CaffeNet pools before it normalizes) or by its place (the starter).
    """
    if weights_path(path) == WEIGHTS:
        return Recognized(STARTER, ("starter",))
    if _is_bvlc(weights):
        return Recognized(BVLC, ("bvlc",))
    shapes = {name: kernel.shape for name, (kernel, _) in weights.items()}
    if TORCHVISION_KERNELS.items() <= shapes.items():
        return Recognized("torchvision AlexNet", ("owt",))
    convolutions = {name: shape for name, shape in shapes.items() if name in CONV_LAYERS}
    variants = [row for row in VARIANTS.values() if row.conv_kernels() == convolutions]
    if Path(path).suffix == ".caffemodel":
        order = order_after_conv1(Path(path))
        variants = [row for row in variants if row.after_conv[0] == order]
        if order == ("pool", "norm"):
            return Recognized("CaffeNet", ("caffenet",))
    return Recognized("unknown weights", tuple(row.name for row in variants))


def _is_bvlc(weights) -> bool:
    first = weights["conv1"][0].flat[: len(BVLC_CONV1)] if "conv1" in weights else ()
    return len(first) == len(BVLC_CONV1) and np.allclose(first, BVLC_CONV1, BVLC_TOLERANCE, 0)
