"""Table of the published AlexNets, and changes to them. No network code lives here."""

import math
from dataclasses import dataclass, fields, replace
from itertools import pairwise

from alexnet_tf.errors import UserError

CONV_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
FC_LAYERS = ("fc6", "fc7", "fc8")

# Activations that `change` accepts, by Keras's names. Krizhevsky 2012 uses only the first.
ACTIVATIONS = ("relu", "leaky_relu", "prelu", "softplus", "tanh", "sigmoid")

# Channel means of Caffe's ilsvrc_2012_mean.npy: 0–255, RGB.
IMAGENET_MEAN = (122.679, 116.669, 104.007)


@dataclass(frozen=True)
class Initial:
    """Initial weights: random kernels with mean 0, and constant biases."""

    # Standard deviation of the kernel, and value of the bias, of each of conv1 … fc8.
    deviations: tuple[float, ...]
    biases: tuple[float, ...]
    # Whether the Gaussian is truncated at two standard deviations.
    truncated: bool = False


# weight_filler and bias_filler of Caffe's bvlc_alexnet/train_val.prototxt and of its
# bvlc_reference_caffenet/train_val.prototxt, whose biases are the paper's.
CAFFE_DEVIATIONS = (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01)
CAFFE = Initial(CAFFE_DEVIATIONS, (0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0))
PAPER_BIASES = (0, 1, 0, 1, 1, 1, 1, 0)
CAFFENET = Initial(CAFFE_DEVIATIONS, PAPER_BIASES)
PAPER = Initial((0.01,) * 8, PAPER_BIASES)  # Krizhevsky 2012, section 5
TENSORFLOW_TUTORIAL = Initial((0.1,) * 8, (0,) * 8, truncated=True)
KERAS = None  # Keras's default: Glorot uniform (2010), biases 0
# By the values of --initial.
INITIALS = {"paper": PAPER, "caffe": CAFFE, "truncated": TENSORFLOW_TUTORIAL, "keras": KERAS}


@dataclass(frozen=True)
class Variant:
    """One AlexNet: preprocessing, convolutions, pooling, head and initialization; by default
    BVLC's."""

    name: str
    # Side of the square input, and of the square that it is cropped from; both in pixels.
    image_size: int = 227
    resized: int = 256
    # Channel order of the input. Values of 0–255 are multiplied by `scale`, then `mean` is
    # subtracted, then the difference is divided by `deviation`; both are in this channel order.
    channels: str = "BGR"
    scale: float = 1.0
    mean: tuple[float, ...] = IMAGENET_MEAN[::-1]
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)
    # Zero padding around conv1's input, in rows and columns: (top and left, bottom and right).
    border: tuple[int, int] = (0, 0)
    # Of conv1, conv2 …, from Caffe's bvlc_alexnet/train_val.prototxt; paddings by Keras's names.
    # Krizhevsky 2012, section 3.2: each filter of conv2, conv4 and conv5 sees half of the channels.
    filters: tuple[int, ...] = (96, 256, 384, 384, 256)
    kernel_sizes: tuple[int, ...] = (11, 5, 3, 3, 3)
    strides: tuple[int, ...] = (4, 1, 1, 1, 1)
    paddings: tuple[str, ...] = ("valid", "same", "same", "same", "same")
    groups: tuple[int, ...] = (1, 2, 1, 2, 2)
    # Activation of every layer except fc8, by Keras's name.
    activation: str = "relu"
    # Steps after each convolution, in order; without "norm" there is no LRN.
    after_conv: tuple[tuple[str, ...], ...] = (*(("norm", "pool"),) * 2, (), (), ("pool",))
    # Krizhevsky 2012, section 3.4: pooling windows overlap.
    pool_size: int = 3
    pool_stride: int = 2
    pool_padding: str = "valid"
    # Caffe's lrn_param: local_size 5 and alpha 1e-4, which Caffe divides by local_size.
    lrn_radius: int = 2
    lrn_alpha: float = 1e-4 / 5
    lrn_beta: float = 0.75
    lrn_bias: float = 1.0
    # Steps that make up layers 6 and 7, in order. If empty, the head is linear: fc8 alone, on
    # L2-normalized windows.
    head: tuple[str, ...] = ("fc", "drop")
    fc_units: tuple[int, int] = (4096, 4096)
    dropout: float = 0.5
    initial: Initial | None = CAFFE
    # Side in pixels of a larger picture on which the convolutions run once; the head classifies
    # windows of pool5's size. None: the picture is the network's input. With `mirrored`, the
    # windows of the mirror image are added. The prediction is the mean over all windows.
    scaled: int | None = None
    mirrored: bool = False

    def __repr__(self) -> str:
        """List all fields, those about windows only if set: prediction files store this text, which
        lacks those fields in files of earlier versions."""
        left_out = () if self.scaled else ("scaled", "mirrored")
        changed = [each.name for each in fields(self) if each.name not in left_out]
        return f"Variant({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    @property
    def picture_size(self) -> int:
        """Side in pixels of the square picture that the network takes."""
        return self.scaled or self.image_size

    @property
    def views(self) -> int:
        """Number of test-time views that a prediction is averaged over."""
        return self.windows * (1 + self.mirrored)

    def window(self, number: int) -> tuple[slice, slice]:
        """Return the rows and columns of window `number` in the stride-1 pooling's output."""
        side, stride = self.pool5_shape[0], self.pool_stride
        reach = (side - 1) * stride + 1
        top, left = divmod(number, self.maxima_shape[1] - reach + 1)
        return slice(top, top + reach, stride), slice(left, left + reach, stride)

    @property
    def conv_layers(self) -> tuple[str, ...]:
        """Names of the convolutions: conv1 … conv5, or fewer."""
        return CONV_LAYERS[: len(self.filters)]

    @property
    def halves(self) -> int:
        """Number of groups into which conv2 divides conv1's filters."""
        return self.groups[1] if len(self.groups) > 1 else 1

    @property
    def pool5_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of fc6's input: pool5, or the last pooling there is."""
        return self.shape_before("fc6", self.image_size)

    @property
    def maxima_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the stride-1 pooling's output, the source of windows."""
        last = len(self.filters) - 1
        side = self._side_of_conv(last, self.shape_before(self.conv_layers[last])[0])
        side -= self.pool_size - 1
        return (side, side, self.filters[-1])

    @property
    def windows(self) -> int:
        """Number of windows per picture; 1 unless the variant is `scaled`."""
        if not self.scaled:
            return 1
        reach = (self.pool5_shape[0] - 1) * self.pool_stride + 1
        return (self.maxima_shape[0] - reach + 1) ** 2

    def shape_before(self, layer: str, picture_size: int | None = None) -> tuple[int, int, int]:
        """Return the height, width and channels of the input of `layer`: conv1 … conv5, or fc6, for
        which it is the last pooling's output. `picture_size` defaults to the network's own."""
        side, channels = picture_size or self.picture_size, len(self.channels)
        for index, name in enumerate(self.conv_layers):
            if name == layer:
                break
            side = self._side_of_conv(index, side)
            if "pool" in self.after_conv[index]:
                side = _side_after(side, self.pool_size, self.pool_stride, self.pool_padding)
            channels = self.filters[index]
        return (side, side, channels)

    def _side_of_conv(self, index: int, side: int) -> int:
        """Return the side of the output of the convolution at `index` for an input of `side`."""
        if index == 0:
            side += sum(self.border)
        kernel, stride = self.kernel_sizes[index], self.strides[index]
        return _side_after(side, kernel, stride, self.paddings[index])

    def conv_kernels(self) -> dict[str, tuple[int, ...]]:
        """Return the kernel shapes (height, width, in / groups, out) of conv1 … conv5, by name."""
        inputs = (len(self.channels), *self.filters)
        return {
            name: (size, size, channels // groups, filters)
            for name, size, channels, groups, filters in zip(
                self.conv_layers, self.kernel_sizes, inputs, self.groups, self.filters
            )
        }

    def fc_kernels(self, classes: int) -> dict[str, tuple[int, ...]]:
        """Return the kernel shapes (in, out) of fc6 … fc8, or of fc8 alone, by layer name."""
        if not self.head:
            return {"fc8": (math.prod(self.pool5_shape), classes)}
        units = (math.prod(self.pool5_shape), *self.fc_units, classes)
        return dict(zip(FC_LAYERS, pairwise(units)))

    def parameters(self, classes: int) -> int:
        """Count the network's weights and biases."""
        return count_parameters(self.conv_kernels() | self.fc_kernels(classes))


def count_parameters(kernels: dict[str, tuple[int, ...]]) -> int:
    """Count the weights and biases of layers with the given kernel shapes."""
    return sum(math.prod(shape) + shape[-1] for shape in kernels.values())


def _side_after(side: int, window: int, stride: int, padding: str) -> int:
    """Return the output side of a convolution or pooling for an input of `side` pixels."""
    return -(-side // stride) if padding == "same" else (side - window) // stride + 1


POOLED = (("pool",), ("pool",), (), (), ("pool",))

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
    after_conv=POOLED,
    head=("drop", "fc"),
    initial=KERAS,
)

# Our own, for photos whose short side is 144 pixels: see alexnet_tf/starter/README.md.
STARTER = replace(
    OWT,
    name="starter",
    image_size=128,
    resized=144,
    border=(0, 0),
    filters=(48, 128, 192, 192, 128),
    kernel_sizes=(7, 5, 3, 3, 3),
    strides=(2, 1, 1, 1, 1),
    head=("fc", "drop"),
    fc_units=(512, 512),
    initial=KERAS,
)

# Our own, for convolutions that learn from ImageNet's: see alexnet_tf/starter/README.md.
DISTILLED = replace(
    STARTER,
    name="distilled",
    filters=(64, 192, 256, 256, 384),
    kernel_sizes=(9, 5, 3, 3, 3),
    strides=(4, 1, 1, 1, 1),
)

# From the PaddlePaddle tutorial. Its own layers, like those of `cifar64`, shrink 32 pixels to
# nothing (6-3-1-0); with padding everywhere the sides are 8-4-2-1. Like Caffe, it divides alpha by
# the size.
CIFAR96 = Variant(
    "cifar96",
    image_size=32,
    resized=32,
    channels="RGB",
    scale=1 / 255,
    mean=(0.0, 0.0, 0.0),
    groups=(1, 1, 1, 1, 1),
    paddings=("same",) * 5,
    pool_padding="same",
    initial=KERAS,
)

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("bvlc"),
        Variant(
            "caffenet", after_conv=(*(("pool", "norm"),) * 2, (), (), ("pool",)), initial=CAFFENET
        ),
        # Krizhevsky 2012. Its 224 pixels give 55 × 55 only with padding. It subtracts ImageNet's
        # mean picture; these are that picture's channel means.
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
        # From a widely copied PyTorch tutorial.
        replace(
            OWT,
            name="nolrn",
            mean=(0.5, 0.5, 0.5),
            deviation=(0.5, 0.5, 0.5),
            filters=(96, 256, 384, 384, 256),
            fc_units=(2048, 2048),
            dropout=0.2,
        ),
        CIFAR96,
        replace(CIFAR96, name="cifar96-nolrn", after_conv=POOLED),
        # From the TensorFlow tutorial.
        replace(
            CIFAR96,
            name="cifar64",
            filters=OWT.filters,
            lrn_alpha=1e-4,
            lrn_bias=2.0,
            initial=TENSORFLOW_TUTORIAL,
        ),
        # Our own: windows and strides that leave every layer an output for 32 pixels.
        replace(
            CIFAR96,
            name="cifar32",
            # Computed on CIFAR-10's 50,000 training pictures.
            mean=(0.4914, 0.4822, 0.4465),
            deviation=(0.2470, 0.2435, 0.2616),
            filters=(64, 128, 256, 256, 128),
            kernel_sizes=(5, 5, 3, 3, 3),
            strides=(1, 1, 1, 1, 1),
            after_conv=POOLED,
            fc_units=(512, 512),
        ),
        STARTER,
        DISTILLED,
        # LeCun 1998, figure 2, as tutorials write it today: max pooling and relu.
        Variant(
            "lenet5",
            image_size=32,
            resized=32,
            channels="RGB",
            scale=1 / 255,
            mean=(0.0, 0.0, 0.0),
            filters=(6, 16),
            kernel_sizes=(5, 5),
            strides=(1, 1),
            paddings=("valid", "valid"),
            groups=(1, 1),
            after_conv=(("pool",), ("pool",)),
            pool_size=2,
            head=("fc",),
            fc_units=(120, 84),
            initial=KERAS,
        ),
    )
}


def get_variant(variant: str | Variant) -> Variant:
    """Return the variant of the given name, UserError, listing the known ones, for an unknown one;
    a `Variant` is returned unchanged."""
    if isinstance(variant, Variant):
        return variant
    if variant not in VARIANTS:
        raise UserError(f"there is no variant '{variant}'; the variants are {', '.join(VARIANTS)}")
    return VARIANTS[variant]


def change(
    variant: Variant,
    initial: str | None = None,
    activation: str | None = None,
    lrn: bool | None = None,
    overlap: bool | None = None,
    dropout: float | None = None,
    width: float = 1.0,
    units: int | None = None,
    scale: int | None = None,
    mirrored: bool = False,
    linear: bool = False,
) -> Variant:
    """Return a copy of `variant` with the given changes, for ablations as in papers and tutorials.

    `initial` is one of `INITIALS` and `activation` one of `ACTIVATIONS`; `lrn` says whether local
    response normalization follows conv1 and conv2; `overlap` whether pooling windows are larger
    than their stride; `width` multiplies the numbers of filters and units; `units` replaces the
    units of fc6 and fc7; `scale` adds windows, with mirror images if `mirrored`; a `linear` head is
    fc8 alone. Raises UserError for a width that leaves a layer without filters or units.
    """
    if initial:
        variant = replace(variant, initial=INITIALS[initial])
    if activation:
        variant = replace(variant, activation=activation)
    if lrn is not None:
        steps = (_with_norm(s, lrn and place < 2) for place, s in enumerate(variant.after_conv))
        variant = replace(variant, after_conv=tuple(steps))
    if overlap is not None:
        variant = replace(variant, pool_size=variant.pool_stride + overlap)
    if dropout is not None:
        variant = replace(variant, dropout=dropout)
    if width != 1:
        # Even numbers, because a convolution of two groups halves its inputs and its outputs.
        filters = tuple(2 * round(width * number / 2) for number in variant.filters)
        fc_units = round(width * variant.fc_units[0]), round(width * variant.fc_units[1])
        if not all((*filters, *fc_units)):
            name = variant.name
            raise UserError(f"a width of {width:g} leaves a layer of {name} without a filter")
        variant = replace(variant, filters=filters, fc_units=fc_units)
    if units:
        variant = replace(variant, fc_units=(units, units))
    if linear:
        variant = replace(variant, head=())
    if scale:
        variant = replace(variant, scaled=scale, mirrored=mirrored)
    return variant


def _with_norm(steps: tuple[str, ...], norm: bool) -> tuple[str, ...]:
    """Return `steps` without "norm", or with it: where it is already, or else first."""
    if norm:
        return steps if "norm" in steps else ("norm", *steps)
    return tuple(step for step in steps if step != "norm")
