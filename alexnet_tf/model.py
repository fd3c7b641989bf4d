"""AlexNet as a flat Keras functional graph, every layer under its Caffe name."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import KerasTensor, initializers, layers, ops

from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.layers import (
    ChannelStatistics,
    Dense,
    GroupedConv2D,
    LocalResponseNormalization,
    MeanOfViews,
    Windows,
    WithMirrorImage,
)
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, KERAS, Variant, get_variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.formats.mapped import map_members
from alexnet_tf.weights.loading import open_weights

LAYERS = (
    *("InputLayer", "ZeroPadding2D", "GroupedConv2D", "PReLU", "LocalResponseNormalization"),
    *("MaxPooling2D", "Flatten", "UnitNormalization", "Dense", "Dropout", "Softmax"),
    *("WithMirrorImage", "Windows", "MeanOfViews"),
)


def AlexNet(
    variant: str | Variant = "bvlc",
    classes: int = 1000,
    weights: str | Path | Weights | None = None,
    include_top: bool = True,
    precision: str = "float32",
    seed: int | None = None,
    name: str = "alexnet",
) -> keras.Model:
    """Build AlexNet, in the manner of ``keras.applications``.

    A `scaled` variant takes larger pictures, for example (batch, 288, 288, 3). Its last pooling has
    stride 1 and returns (batch, 14, 14, 256); ``windows`` slices 16 windows of 6 × 6 from it, fc6 …
    prob classify each of them, and the output layer ``mean`` averages the probabilities.

    Args:
        variant: One of `alexnet_tf.variants`, or its name.
        classes: The number of outputs.
        weights: A file that `read_weights` reads, which must hold every layer of the model; or what
            `open_weights` returned. Layers that it lacks are initialized at random, as the variant
            specifies; without weights, all are.
        include_top: Whether fc6 … prob follow the convolutions.
        precision: "float32"; or "bfloat16", in which all layers but fc8 compute, on float32
            weights.
        seed: Fixes the random kernels and the dropout.
        name: The model's name.

    Returns:
        A model of float32 (batch, 227, 227, 3), as `preprocess_input` returns it (some variants
        take 224 or 32 pixels), to the probabilities (batch, classes) of the layer ``prob``; the
        layer ``fc8`` gives the logits. Without the top the output is ``pool5`` (batch, 6, 6, 256).

    Raises:
        UserError: For an unknown variant, or for weights that do not fit.

    Example:
        >>> alexnet_tf.AlexNet().count_params()
        60965224
    """
    _check_keras()
    variant = get_variant(variant)
    if isinstance(weights, str | Path):
        weights = open_weights(weights, variant, classes if include_top else None)
    start = _Start(variant, frozenset(weights or ()), seed)
    side, channels = variant.picture_size, len(variant.channels)
    inputs = keras.Input((side, side, channels), name="data")
    with _computing_in(precision):
        seen = inputs
        if include_top and variant.mirrored and variant.scaled:
            seen = WithMirrorImage(name="mirror")(inputs)
        outputs = _convolutions(seen, variant, start)
        if include_top:
            outputs = _classifier(outputs, variant, classes, start)
    model = keras.Model(inputs, outputs, name=name)
    load_layers(model, weights or {})
    return model


def _check_keras() -> None:
    """Raise UserError if Keras's global settings are incompatible with AlexNet."""
    for name, found, needed in (
        ("backend", keras.config.backend(), "tensorflow"),
        ("image_data_format", keras.config.image_data_format(), "channels_last"),
        ("floatx", keras.config.floatx(), "float32"),
        ("type of variables", keras.config.dtype_policy().variable_dtype, "float32"),
    ):
        if found != needed:
            raise UserError(
                f"Keras's {name} is {found}, and AlexNet needs {needed}; see keras.config, "
                "$KERAS_BACKEND and ~/.keras/keras.json"
            )


def part(model: keras.Model, first: str, after: str) -> keras.Model:
    """Return a model of an AlexNet's layers, which are shared, from `first` up to, but not
    including, `after`, each one of conv1 … fc8 and prob. The input of fc6 is flat: (batch, 9216). A
    dropout belongs to the layer that follows it. A linear head has ``unit`` in place of fc6 and
    fc7."""
    return keras.Model(_entering(model, first), _entering(model, after))


def mean_of_views(outputs: KerasTensor, maps: KerasTensor, count: int) -> KerasTensor:
    """Average a network's outputs (views, …), of any layer, for `count` pictures over the test-time
    views of each: (count, …). These are mirror images, which follow all the original pictures in
    the batch, and windows of the convolutional feature map; `maps` are the output of a convolution
    for the same pictures."""
    shape = (maps.shape[0] // count, count, -1, *outputs.shape[1:])
    return ops.mean(ops.reshape(outputs, shape), axis=(0, 2))


def with_statistics(model: keras.Model) -> keras.Model:
    """Return a model, of the same layers, whose outputs (n, classes + 2c) are those of an
    AlexNet, and after them the `ChannelStatistics` of pool5, averaged over a picture and its
    mirror image."""
    maps = next(each for each in model.layers if isinstance(each, Windows | layers.Flatten)).input
    found = ChannelStatistics()(maps)
    if any(isinstance(each, WithMirrorImage) for each in model.layers):
        found = MeanOfViews(1, mirrored=True)(found)
    return keras.Model(model.input, layers.Concatenate()([model.output, found]))


def place_of(model: keras.Model, layer: str) -> int:
    """Return the index of `layer` in the model, or of the dropout before it; for fc6 and fc7 of a
    linear head, that of the layer that replaces them."""
    names = [each.name for each in model.layers]
    place = names.index("unit" if layer in FC_LAYERS and layer not in names else layer)
    while isinstance(model.layers[place - 1], layers.Dropout):
        place -= 1
    return place


def read_layers(model: keras.Model) -> Weights:
    """Return the kernels and biases of those layers of conv1 … fc8 that the model has."""
    own = [layer for layer in model.layers if layer.name in (*CONV_LAYERS, *FC_LAYERS)]
    return {layer.name: (layer.kernel.numpy(), layer.bias.numpy()) for layer in own}


def load_layers(model: keras.Model, weights: Weights) -> None:
    """Set the kernel and bias of each layer named in `weights`."""
    for name, (kernel, bias) in weights.items():
        layer = model.get_layer(name)
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)


def load_slopes(model: keras.Model, slopes: Sequence[np.ndarray]) -> None:
    """Set the slopes of an AlexNet with prelu, one array per layer, in order; a network without
    prelu has none. Raises BadFile, without a path, if the shapes do not match."""
    variables = [layer.alpha for layer in model.layers if isinstance(layer, layers.PReLU)]
    expected, found = ([tuple(each.shape) for each in part] for part in (variables, slopes))
    if found != expected:
        raise BadFile(f"its slopes of prelu have the shapes {found}, and should have {expected}")
    for variable, slope in zip(variables, slopes):
        if not np.isfinite(slope).all():
            raise BadFile("its slopes of prelu hold NaN or infinite values")
        variable.assign(slope)


def load_model(path: str | Path) -> keras.Model:
    """Load an AlexNet from a ``model.keras`` file.

    Keras's safe mode stays on: a file that contains code is refused. So is a file whose layers are
    not those of an AlexNet, or are larger than the weights stored in it.

    Args:
        path: The file, which Keras wrote.

    Returns:
        The model, not compiled.

    Raises:
        UserError: If the file does not hold an AlexNet.

    Example:
        >>> alexnet_tf.AlexNet("lenet5", classes=2).save("lenet5.keras")
        >>> alexnet_tf.load_model("lenet5.keras").output_shape
        (None, 2)
    """
    try:
        _check_layers(map_members(Path(path)))
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except MemoryError:  # says nothing against the file
        raise
    except Exception as error:  # a broken file can raise nearly any exception
        raise UserError(f"{path}: is not a model that can be opened ({error})") from error


def _check_layers(members: Mapping[str, memoryview]) -> None:
    """Raise ValueError for a file that `AlexNet` cannot have saved, before any weight is allocated:
    `members` are those of the ``.keras`` zip, whose layers must form a chain."""
    weights, before = 0, None
    shape: Sequence[int] = ()
    for entry in json.loads(bytes(members["config.json"]))["config"]["layers"]:
        if entry["class_name"] not in LAYERS:
            raise ValueError(f"an AlexNet has no layer of the class {entry['class_name']}")
        alone = {name: entry[name] for name in entry if name != "build_config"}  # no weights
        layer = keras.saving.deserialize_keras_object(alone, safe_mode=True)
        if before:
            ((node,),) = (each["args"] for each in entry["inbound_nodes"])
            if node["config"]["keras_history"][0] != before:
                raise ValueError(f"its layer {layer.name} does not follow {before}")
            weights += _count_weights(layer, shape)
            shape = layer.compute_output_shape(shape)
        else:
            shape = layer.batch_shape
        before = layer.name
    if 4 * weights > len(members["model.weights.h5"]):
        raise ValueError(f"its layers need {weights:,} weights, which it has not")


def _count_weights(layer: keras.Layer, shape: Sequence[int]) -> int:
    """Count the weights and biases of `layer` for inputs of `shape`."""
    channels = shape[-1]
    if isinstance(layer, layers.Dense):
        return (channels + 1) * layer.units
    if isinstance(layer, layers.Conv2D):
        inputs = math.prod(layer.kernel_size) * channels // layer.groups
        return (inputs + 1) * layer.filters
    if isinstance(layer, layers.PReLU):
        shared = layer.shared_axes or ()
        return math.prod(side for axis, side in enumerate(shape) if axis and axis not in shared)
    return 0


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Make layers built in the block compute in `precision`, on float32 weights."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if precision == "float32" else dtype_policy(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def dtype_policy(precision: str) -> str:
    """Return the name of Keras's policy for layers that compute in `precision`, on float32 weights;
    UserError where TensorFlow computes nothing in bfloat16: it asks the processor for AVX-512, and
    oneDNN then refuses if ONEDNN_MAX_CPU_ISA allows less."""
    if precision == "float32":
        return precision
    pixel = tf.zeros((1, 1, 1, 1), precision)
    try:
        tf.nn.conv2d(pixel, pixel, 1, "VALID")
    except tf.errors.OpError as error:
        raise UserError(
            f"TensorFlow does not compute in {precision} here, because oneDNN refuses it; "
            "--precision float32 works everywhere"
        ) from error
    return f"mixed_{precision}"


@dataclass(frozen=True)
class _Start:
    """Weight initialization of a new network."""

    variant: Variant
    # Those whose weights are loaded later: random numbers would take a second and 300 MB.
    given: frozenset[str]
    seed: int | None

    def of(self, layer: str) -> dict[str, Any]:
        """Return the initializers of the kernel and bias of `layer`, as its keyword arguments."""
        if layer in self.given:
            return {"kernel_initializer": "zeros"}
        seed, initial = self.seed_of(layer), self.variant.initial
        if initial is KERAS:
            return {"kernel_initializer": initializers.GlorotUniform(seed)}
        place = (*CONV_LAYERS, *FC_LAYERS).index(layer)
        random = initializers.TruncatedNormal if initial.truncated else initializers.RandomNormal
        return {
            "kernel_initializer": random(0.0, initial.deviations[place], seed),
            "bias_initializer": initializers.Constant(initial.biases[place]),
        }

    def seed_of(self, layer: str) -> int | None:
        """Derive a seed for `layer`; return None if no seed is set."""
        random = (*FC_LAYERS, "drop6", "drop7", *CONV_LAYERS)
        return None if self.seed is None else len(random) * self.seed + random.index(layer)


def _convolutions(x: KerasTensor, variant: Variant, start: _Start) -> KerasTensor:
    if any(variant.border):
        x = layers.ZeroPadding2D((variant.border, variant.border), name="conv1_border")(x)
    for index, name in enumerate(variant.conv_layers):
        number = index + 1
        x = GroupedConv2D(
            variant.filters[index],
            variant.kernel_sizes[index],
            strides=variant.strides[index],
            padding=variant.paddings[index],
            groups=variant.groups[index],
            activation=_inside(variant),
            name=name,
            **start.of(name),
        )(x)
        if not _inside(variant):
            x = _slope(number)(x)
        for step in variant.after_conv[index]:
            if step == "norm":
                lrn = variant.lrn_radius, variant.lrn_alpha, variant.lrn_beta, variant.lrn_bias
                layer = LocalResponseNormalization(*lrn, name=f"norm{number}")
            else:
                # Each window is a strided slice of the last pooling with stride 1.
                is_last = name == variant.conv_layers[-1]
                stride = 1 if is_last and variant.scaled else variant.pool_stride
                layer = layers.MaxPooling2D(
                    variant.pool_size, stride, variant.pool_padding, name=f"pool{number}"
                )
            x = layer(x)
    return x


def _classifier(x: KerasTensor, variant: Variant, classes: int, start: _Start) -> KerasTensor:
    if variant.scaled:
        x = Windows(variant.pool5_shape[0], variant.pool_stride, name="windows")(x)
    else:
        x = layers.Flatten(name="flatten")(x)
    if not variant.head:
        x = layers.UnitNormalization(name="unit", dtype="float32")(x)
    for number, units in zip((6, 7), variant.fc_units):
        for step in variant.head:
            name = f"{step}{number}"
            if step == "drop":
                x = layers.Dropout(variant.dropout, seed=start.seed_of(name), name=name)(x)
                continue
            x = Dense(units, activation=_inside(variant), name=name, **start.of(name))(x)
            if not _inside(variant):
                x = _slope(number)(x)
    x = layers.Dense(classes, name="fc8", dtype="float32", **start.of("fc8"))(x)
    x = layers.Softmax(name="prob", dtype="float32")(x)
    if variant.scaled:
        x = MeanOfViews(variant.windows, variant.mirrored, name="mean", dtype="float32")(x)
    return x


def _inside(variant: Variant) -> str | None:
    """Return the activation built into a layer; None for prelu, which is a layer of its own."""
    return None if variant.activation == "prelu" else variant.activation


def _slope(number: int) -> keras.Layer:
    """Build a PReLU with one slope per channel, initially 0.25 (He 2015, section 2.1)."""
    slope = initializers.Constant(0.25)
    return layers.PReLU(slope, shared_axes=(1, 2) if number < 6 else None, name=f"prelu{number}")


def _entering(model: keras.Model, layer: str) -> KerasTensor:
    """Return the input tensor of `layer`, or of the dropout before it."""
    if layer == "conv1":
        return model.input
    return model.layers[place_of(model, layer) - 1].output
