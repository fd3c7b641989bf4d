"""The AlexNets that people mean, as rows of one table. No network code lives here."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from alexnet_tf.errors import UserError

CONV_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
FC_LAYERS = ("fc6", "fc7", "fc8")

# Caffe's bvlc_alexnet/train_val.prototxt: kernel_size and stride of conv1 … conv5; conv2 … conv5
# are padded by half their kernel, conv1 not at all.
KERNEL_SIZES = (11, 5, 3, 3, 3)
STRIDES = (4, 1, 1, 1, 1)
PADDINGS = ("valid", "same", "same", "same", "same")
POOL_SIZE, POOL_STRIDE = 3, 2


@dataclass(frozen=True)
class Variant:
    """One AlexNet: its picture, its convolutions and what follows the first two of them."""

    name: str
    # Names of the steps after conv1 and conv2, in order.
    after_conv: tuple[str, ...] = ("norm", "pool")
    # Side of the square input, in pixels.
    image_size: int = 227
    # Order of the input's channels; `mean` (of 0–255) is subtracted in that order. The numbers are
    # the channel means of Caffe's ilsvrc_2012_mean.npy.
    channels: str = "BGR"
    mean: tuple[float, ...] = (104.007, 116.669, 122.679)
    filters: tuple[int, ...] = (96, 256, 384, 384, 256)
    # Krizhevsky 2012, section 3.2: conv2, conv4 and conv5 see half of the channels each.
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)
    # Caffe's lrn_param: local_size 5 and alpha 1e-4, which Caffe divides by local_size.
    lrn_radius: int = 2
    lrn_alpha: float = 1e-4 / 5
    lrn_beta: float = 0.75
    lrn_bias: float = 1.0
    fc_units: int = 4096
    dropout: float = 0.5

    @property
    def pool5_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of pool5."""
        side = (self.image_size - KERNEL_SIZES[0]) // STRIDES[0] + 1
        for _ in ("pool1", "pool2", "pool5"):
            side = (side - POOL_SIZE) // POOL_STRIDE + 1
        return (side, side, self.filters[-1])

    def conv_kernels(self) -> dict[str, tuple[int, ...]]:
        """Kernel shapes (height, width, in / groups, out) of conv1 … conv5, by layer name."""
        inputs = (len(self.channels), *self.filters)
        return {
            name: (size, size, channels // groups, filters)
            for name, size, channels, groups, filters in zip(
                CONV_LAYERS, KERNEL_SIZES, inputs, self.groups, self.filters
            )
        }

    def fc_kernels(self, classes: int) -> dict[str, tuple[int, ...]]:
        """Kernel shapes (in, out) of fc6 … fc8, by layer name."""
        height, width, channels = self.pool5_shape
        units = (height * width * channels, self.fc_units, self.fc_units, classes)
        return dict(zip(FC_LAYERS, pairwise(units)))


VARIANTS = {
    row.name: row
    for row in (
        Variant("bvlc"),
        Variant("caffenet", after_conv=("pool", "norm")),
    )
}


def get_variant(name: str) -> Variant:
    """The row called `name`; UserError, with the names there are, when there is none."""
    if name not in VARIANTS:
        raise UserError(f"there is no variant '{name}'; the variants are {', '.join(VARIANTS)}")
    return VARIANTS[name]
