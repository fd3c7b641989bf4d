"""The AlexNets that people mean, as rows of one table. No network code lives here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from alexnet_tf.errors import UserError

CONV_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
FC_LAYERS = ("fc6", "fc7", "fc8")

# Caffe's bvlc_alexnet/train_val.prototxt: kernel_size and stride of conv1 … conv5; conv2 … conv5
# are padded by half their kernel. Krizhevsky 2012, section 3.4: pooling windows overlap.
KERNEL_SIZES = (11, 5, 3, 3, 3)
STRIDES = (4, 1, 1, 1, 1)
POOL_SIZE, POOL_STRIDE = 3, 2

# Of 0–255, in RGB: the channel means of Caffe's ilsvrc_2012_mean.npy.
IMAGENET_MEAN = (122.679, 116.669, 104.007)


@dataclass(frozen=True)
class Initial:
    """Random kernels around 0 and constant biases to start a training from."""

    # Deviation of the kernel of each of conv1 … fc8, and the value of each bias.
    deviations: tuple[float, ...]
    biases: tuple[float, ...]
    # Whether the Gaussian is cut off at twice its deviation.
    truncated: bool = False


# weight_filler and bias_filler of Caffe's bvlc_alexnet/train_val.prototxt and of its
# bvlc_reference_caffenet/train_val.prototxt, whose biases are the paper's.
CAFFE_DEVIATIONS = (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01)
CAFFE = Initial(CAFFE_DEVIATIONS, (0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0))
PAPER_BIASES = (0, 1, 0, 1, 1, 1, 1, 0)
CAFFENET = Initial(CAFFE_DEVIATIONS, PAPER_BIASES)
PAPER = Initial((0.01,) * 8, PAPER_BIASES)  # Krizhevsky 2012, section 5
TENSORFLOW_TUTORIAL = Initial((0.1,) * 8, (0,) * 8, truncated=True)


@dataclass(frozen=True)
class Variant:
    """One AlexNet: its picture, its convolutions, what follows them, its head, how it begins.

    What a row leaves out is BVLC's.
    """

    name: str
    # Side of the square input, and of the square that it is cut from; both in pixels.
    image_size: int = 227
    resized: int = 256
    # Order of the input's channels. Values of 0–255 are multiplied by `scale`; then `mean` is
    # subtracted and the difference divided by `deviation`, both in that order.
    channels: str = "BGR"
    scale: float = 1.0
    mean: tuple[float, ...] = IMAGENET_MEAN[::-1]
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)
    # Rows and columns of zeros that conv1 sees around the input: at the left and top, at the right
    # and bottom.
    border: tuple[int, int] = (0, 0)
    # Padding of conv1 and of every pooling, in Keras's words; that of conv2 … conv5 is "same".
    padding: str = "valid"
    filters: tuple[int, ...] = (96, 256, 384, 384, 256)
    # Krizhevsky 2012, section 3.2: conv2, conv4 and conv5 see half of the channels each.
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)
    # Names of the steps after conv1 and conv2, in order; without "norm" there is no LRN.
    after_conv: tuple[str, ...] = ("norm", "pool")
    # Caffe's lrn_param: local_size 5 and alpha 1e-4, which Caffe divides by local_size.
    lrn_radius: int = 2
    lrn_alpha: float = 1e-4 / 5
    lrn_beta: float = 0.75
    lrn_bias: float = 1.0
    # Names of the steps that make up layers 6 and 7, in order.
    head: tuple[str, ...] = ("fc", "drop")
    fc_units: int = 4096
    dropout: float = 0.5
    # None: Keras's default, uniform as in Glorot 2010 with biases of 0.
    initial: Initial | None = CAFFE

    @property
    def pool5_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of pool5."""
        side = self.image_size + sum(self.border)
        windows = ((KERNEL_SIZES[0], STRIDES[0]), *((POOL_SIZE, POOL_STRIDE),) * 3)
        for size, stride in windows:
            side = -(-side // stride) if self.padding == "same" else (side - size) // stride + 1
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


# torchvision's alexnet ("one weird trick", Krizhevsky 2014) and its preprocessing.
OWT = Variant(
    "owt",
    image_size=224,
    channels="RGB",
    scale=1 / 255,
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
    border=(2, 2),
    filters=(64, 192, 384, 256, 256),
    groups=(1, 1, 1, 1, 1),
    after_conv=("pool",),
    head=("drop", "fc"),
    initial=None,
)

# The PaddlePaddle tutorial's. Its own layers, like those of `cifar64`, shrink 32 pixels to nothing
# (6-3-1-0); padded throughout, the sides are 8-4-2-1. It divides its alpha by the size, as Caffe.
CIFAR96 = Variant(
    "cifar96",
    image_size=32,
    resized=32,
    channels="RGB",
    scale=1 / 255,
    mean=(0.0, 0.0, 0.0),
    padding="same",
    groups=(1, 1, 1, 1, 1),
    initial=None,
)

VARIANTS = {
    row.name: row
    for row in (
        Variant("bvlc"),
        Variant("caffenet", after_conv=("pool", "norm"), initial=CAFFENET),
        # Krizhevsky 2012, whose 224 pixels give 55 × 55 only with a border, and who subtracts the
        # mean picture of ImageNet: these are the means of its channels.
        Variant(
            "paper",
            image_size=224,
            channels="RGB",
            mean=IMAGENET_MEAN,
            border=(1, 2),
            lrn_alpha=1e-4,
            lrn_bias=2.0,
            initial=PAPER,
        ),
        OWT,
        # A widely copied PyTorch tutorial.
        replace(
            OWT,
            name="nolrn",
            mean=(0.5, 0.5, 0.5),
            deviation=(0.5, 0.5, 0.5),
            filters=(96, 256, 384, 384, 256),
            fc_units=2048,
            dropout=0.2,
        ),
        CIFAR96,
        replace(CIFAR96, name="cifar96-nolrn", after_conv=("pool",)),
        # The TensorFlow tutorial's.
        replace(
            CIFAR96,
            name="cifar64",
            filters=OWT.filters,
            lrn_alpha=1e-4,
            lrn_bias=2.0,
            initial=TENSORFLOW_TUTORIAL,
        ),
    )
}


def get_variant(name: str) -> Variant:
    """The row called `name`; UserError, with the names there are, when there is none."""
    if name not in VARIANTS:
        raise UserError(f"there is no variant '{name}'; the variants are {', '.join(VARIANTS)}")
    return VARIANTS[name]
