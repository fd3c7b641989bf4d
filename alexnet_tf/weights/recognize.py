"""Recognize the source of weights, and the variants of AlexNet that they fit."""

from typing import NamedTuple

import numpy as np

from alexnet_tf.starter import VARIANT
from alexnet_tf.variants import CONV_LAYERS, VARIANTS, get_variant
from alexnet_tf.weights import Weights

BVLC = "BVLC AlexNet"
CAFFENET = "CaffeNet"
TORCHVISION = "torchvision AlexNet"
STARTER_WEIGHTS = "the starter, which knows cats and dogs"
# The first eight values of conv1's kernel in bvlc_alexnet.npy, which identify it.
BVLC_CONV1 = (
    -0.0283153, -0.0719704, 0.00378898, -0.00111214, -0.0265042, 0.00748557, 0.0241357, 0.0227042
)  # fmt: skip
# The same values of bvlc_reference_caffenet.caffemodel, in that layout.
CAFFENET_CONV1 = (
    -0.001213587, 0.015906865, -0.025026876, 0.017814262,
    -0.002985673, 0.005318385, 0.044481777, 0.051720317,
)  # fmt: skip
SIGNATURES = {BVLC: BVLC_CONV1, CAFFENET: CAFFENET_CONV1}
FITS = {BVLC: ("bvlc",), CAFFENET: ("caffenet",)}
# alexnet-owt-7be5be79.pth: its first row of numbers, at the columns that PyTorch prints.
TORCHVISION_COLUMNS = (0, 1, 2, 8, 9, 10)
TORCHVISION_CONV1 = (0.11864, 0.094069, 0.095435, 0.055822, 0.021575, 0.049963)
# The tolerance for the same weights in bfloat16, whose eight bits are off by 1/128 at most.
TOLERANCE = 8e-3

TORCHVISION_KERNELS = get_variant("owt").conv_kernels() | {"fc6": (9216, 4096)}


class Recognized(NamedTuple):
    """The readable name of the source, and the names of the variants that the weights fit."""

    name: str
    variants: tuple[str, ...]


def recognize(
    layers: Weights, order: tuple[str, ...] | None = None, is_starter: bool = False
) -> Recognized:
    """Recognize the source of `layers`. No variants means that none has their shapes.

    Sources are identified by value (BVLC AlexNet, CaffeNet, torchvision), by shape (torchvision),
    by the `order` of the steps between conv1 and conv2 if the file gives it (CaffeNet pools before
    it normalizes), or because the file `is_starter`, the one that is part of this program.
    """
    if is_starter:
        return Recognized(STARTER_WEIGHTS, (VARIANT,))
    conv1 = layers["conv1"][0] if "conv1" in layers else np.empty(0)
    for name in SIGNATURES:
        if _is_signed(conv1, name):
            return Recognized(name, FITS[name])
    shapes = {name: kernel.shape for name, (kernel, _) in layers.items()}
    if TORCHVISION_KERNELS.items() <= shapes.items():
        row = conv1[0, TORCHVISION_COLUMNS, 0, 0]
        is_same = _is_close(row, TORCHVISION_CONV1)
        name = TORCHVISION if is_same else f"weights in {TORCHVISION}'s shapes"
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
    """Return `layers`, with conv1's channels reversed if that turns it into BVLC's or CaffeNet's
    (the file was made for RGB), and whether they were."""
    if "conv1" not in layers or layers["conv1"][0].ndim != 4:
        return layers, False
    kernel, bias = layers["conv1"]
    turned = kernel[:, :, ::-1]
    if not any(_is_signed(turned, name) and not _is_signed(kernel, name) for name in SIGNATURES):
        return layers, False
    return layers | {"conv1": (turned, bias)}, True


def _is_signed(conv1: np.ndarray, name: str) -> bool:
    """Tell whether conv1's kernel begins with the values of `name`."""
    return _is_close(conv1.flat[: len(SIGNATURES[name])], SIGNATURES[name])


def _is_close(numbers: np.ndarray, signature: tuple[float, ...]) -> bool:
    return len(numbers) == len(signature) and np.allclose(numbers, signature, TOLERANCE, 0)
