"""Recognize whose weights a file holds, and which variants of AlexNet they fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alexnet_tf.variants import CONV_LAYERS, VARIANTS
from alexnet_tf.weights import Weights

BVLC = "BVLC AlexNet"
CAFFENET = "CaffeNet"
TORCHVISION = "torchvision AlexNet"
STARTER_WEIGHTS = "the starter, which knows cats and dogs"
# The first eight numbers of conv1's kernel in bvlc_alexnet.npy, which are as good as a signature.
BVLC_CONV1 = (
    -0.0283153, -0.0719704, 0.00378898, -0.00111214, -0.0265042, 0.00748557, 0.0241357, 0.0227042
)  # fmt: skip
# The same of bvlc_reference_caffenet.caffemodel, in that layout.
CAFFENET_CONV1 = (
    -0.001213587, 0.015906865, -0.025026876, 0.017814262,
    -0.002985673, 0.005318385, 0.044481777, 0.051720317,
)  # fmt: skip
SIGNATURES = {BVLC: BVLC_CONV1, CAFFENET: CAFFENET_CONV1}
FITS = {BVLC: ("bvlc",), CAFFENET: ("caffenet",)}
# Of alexnet-owt-7be5be79.pth: the first row of the first filter's first channel, at these columns.
# Printed by several users of PyTorch, which leaves out the columns between.
TORCHVISION_COLUMNS = (0, 1, 2, 8, 9, 10)
TORCHVISION_CONV1 = (0.11864, 0.094069, 0.095435, 0.055822, 0.021575, 0.049963)
# Room for the same weights in bfloat16, whose eight bits are off by 1/128 at most.
TOLERANCE = 8e-3

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

    Known by values (BVLC AlexNet, CaffeNet, torchvision's), by shapes (those that torchvision's
    network has), by the `order` of the steps between conv1 and conv2, where the file says it
    (CaffeNet pools before it normalizes), or because it `is_starter`, the program's own file.
    """
    if is_starter:
        return Recognized(STARTER_WEIGHTS, ("starter",))
    conv1 = layers["conv1"][0] if "conv1" in layers else np.empty(0)
    for name in SIGNATURES:
        if _is_signed(conv1, name):
            return Recognized(name, FITS[name])
    shapes = {name: kernel.shape for name, (kernel, _) in layers.items()}
    if TORCHVISION_KERNELS.items() <= shapes.items():
        name = TORCHVISION if _is_torchvisions(conv1) else f"weights in {TORCHVISION}'s shapes"
        return Recognized(name, ("owt",))
    convolutions = {name: shape for name, shape in shapes.items() if name in CONV_LAYERS}
    if order == ("pool", "norm"):
        return Recognized("weights in CaffeNet's order", ("caffenet",))
    variants = (
        variant.name
        for variant in VARIANTS.values()
        if variant.conv_kernels() == convolutions and order in (None, variant.after_conv[0])
    )
    return Recognized("unknown weights", tuple(variants))


def in_bgr(layers: Weights) -> tuple[Weights, bool]:
    """Return `layers` and False; or with conv1's channels turned around, and True, where that makes
    it BVLC's or CaffeNet's: somebody wrote it for pictures in RGB."""
    if "conv1" not in layers or layers["conv1"][0].ndim != 4:
        return layers, False
    kernel, bias = layers["conv1"]
    turned = kernel[:, :, ::-1]
    if not any(_is_signed(turned, name) and not _is_signed(kernel, name) for name in SIGNATURES):
        return layers, False
    return layers | {"conv1": (turned, bias)}, True


def _is_signed(conv1: np.ndarray, name: str) -> bool:
    """Tell whether conv1's kernel begins as that of `name`."""
    signature = SIGNATURES[name]
    return _is_close(conv1.flat[: len(signature)], signature)


def _is_torchvisions(conv1: np.ndarray) -> bool:
    return _is_close(conv1[0, TORCHVISION_COLUMNS, 0, 0], TORCHVISION_CONV1)


def _is_close(numbers: np.ndarray, signature: tuple[float, ...]) -> bool:
    return len(numbers) == len(signature) and np.allclose(numbers, signature, TOLERANCE, 0)
