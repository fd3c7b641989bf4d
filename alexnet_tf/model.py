"""AlexNet as a flat Keras functional graph, every layer under its Caffe name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import initializers, layers

from alexnet_tf.errors import UserError
from alexnet_tf.layers import GroupedConv2D, LocalResponseNormalization
from alexnet_tf.variants import CONV_LAYERS, FC_LAYERS, KERAS, Variant, get_variant
from alexnet_tf.weights.loading import Weights, check_weights, load_weights, read_weights


def AlexNet(
    variant: str | Variant = "bvlc",
    classes: int = 1000,
    weights: str | Path | Weights | None = None,
    include_top: bool = True,
    precision: str = "float32",
    seed: int | None = None,
    name: str = "alexnet",
) -> keras.Model:
    """AlexNet, in the manner of ``keras.applications``.

    Input: float32 (batch, 227, 227, 3) as `preprocess_input` returns it; some variants take 224 or
    32 pixels. Output: the probabilities (batch, classes) of the layer ``prob``; the layer ``fc8``
    gives the logits. With ``include_top=False`` the output is ``pool5`` (batch, 6, 6, 256).

    `variant` is a row of `alexnet_tf.variants`, or its name. `weights` is a file that
    `read_weights` reads, which must hold every layer of the model; or what `check_weights`
    returned. Layers that it lacks start at random as the variant does. `seed` fixes the random
    kernels and the dropout. With ``precision="bfloat16"`` all layers but fc8 compute in bfloat16 on
    float32 weights. Raises UserError for an unknown variant or for weights that do not fit.

    >>> AlexNet().count_params()
    60965224
    """
    row = get_variant(variant)
    if isinstance(weights, str | Path):
        needed = classes if include_top else None
        weights = check_weights(read_weights(weights), row, weights, needed)
    start = _Start(row, frozenset(weights or ()), seed)
    inputs = keras.Input((row.image_size, row.image_size, len(row.channels)), name="data")
    with _computing_in(precision):
        outputs = _convolutions(inputs, row, start)
        if include_top:
            outputs = _classifier(outputs, row, classes, start)
    model = keras.Model(inputs, outputs, name=name)
    load_weights(model, weights or {})
    return model


def part(model: keras.Model, first: str, after: str) -> keras.Model:
    """The layers of an AlexNet from `first` to those before `after`, shared with it.

    Both are one of conv1 … conv5, fc6, before which pool5 is flat: (batch, 9216), and prob.
    """
    return keras.Model(_entering(model, first), _entering(model, after))


def read_layers(model: keras.Model) -> Weights:
    """Kernel and bias of conv1 … fc8, as far as the model has them."""
    names = (*CONV_LAYERS, *FC_LAYERS)
    return {
        layer.name: (layer.kernel.numpy(), layer.bias.numpy())
        for layer in model.layers
        if layer.name in names
    }


def load_model(path: str | Path) -> keras.Model:
    """The network in a ``model.keras`` file, as `AlexNet` returns it; UserError if it is not one.

    Keras's safe mode stays on: a file that brings code of its own is refused.
    """
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a broken file can raise nearly anything
        raise UserError(f"{path}: is not a model that can be opened ({error})") from error


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Layers made meanwhile compute in `precision`, on float32 weights."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@dataclass(frozen=True)
class _Start:
    """How the layers of a new network begin."""

    row: Variant
    # The layers that weights are about to be loaded into: to draw random numbers for those would
    # take a second and 300 MB.
    given: frozenset[str]
    seed: int | None

    def of(self, layer: str) -> dict[str, Any]:
        """The initial kernel and bias of `layer`, as its keyword arguments."""
        if layer in self.given:
            return {"kernel_initializer": "zeros"}
        seed, initial = self.seed_of(layer), self.row.initial
        if initial is KERAS:
            return {"kernel_initializer": initializers.GlorotUniform(seed)}
        place = (*CONV_LAYERS, *FC_LAYERS).index(layer)
        random = initializers.TruncatedNormal if initial.truncated else initializers.RandomNormal
        return {
            "kernel_initializer": random(0.0, initial.deviations[place], seed),
            "bias_initializer": initializers.Constant(initial.biases[place]),
        }

    def seed_of(self, layer: str) -> int | None:
        """A seed for `layer` alone; None when there is none for all."""
        random = (*FC_LAYERS, "drop6", "drop7", *CONV_LAYERS)
        return None if self.seed is None else len(random) * self.seed + random.index(layer)


def _convolutions(x, row: Variant, start: _Start):
    if any(row.border):
        x = layers.ZeroPadding2D((row.border, row.border), name="conv1_border")(x)
    for index, name in enumerate(row.conv_layers):
        number = index + 1
        x = GroupedConv2D(
            row.filters[index],
            row.kernel_sizes[index],
            strides=row.strides[index],
            padding=row.paddings[index],
            groups=row.groups[index],
            activation=_inside(row),
            name=name,
            **start.of(name),
        )(x)
        if not _inside(row):
            x = _slope(number)(x)
        for step in row.after_conv[index]:
            x = _AFTER_CONV[step](row, f"{step}{number}")(x)
    return x


def _classifier(x, row: Variant, classes: int, start: _Start):
    x = layers.Flatten(name="flatten")(x)
    for number in (6, 7):
        for step in row.head:
            x = _HEAD[step](x, row, number, start)
    x = layers.Dense(classes, name="fc8", dtype="float32", **start.of("fc8"))(x)
    return layers.Softmax(name="prob", dtype="float32")(x)


def _norm(row: Variant, name: str):
    return LocalResponseNormalization(
        row.lrn_radius, row.lrn_alpha, row.lrn_beta, row.lrn_bias, name=name
    )


def _pool(row: Variant, name: str):
    return layers.MaxPooling2D(row.pool_size, row.pool_stride, row.pool_padding, name=name)


def _dense(x, row: Variant, number: int, start: _Start):
    name = f"fc{number}"
    units = row.fc_units[number - 6]
    x = layers.Dense(units, activation=_inside(row), name=name, **start.of(name))(x)
    return x if _inside(row) else _slope(number)(x)


def _dropout(x, row: Variant, number: int, start: _Start):
    name = f"drop{number}"
    return layers.Dropout(row.dropout, seed=start.seed_of(name), name=name)(x)


_AFTER_CONV = {"norm": _norm, "pool": _pool}
_HEAD = {"fc": _dense, "drop": _dropout}


def _inside(row: Variant) -> str | None:
    """The activation that a layer computes itself; None for prelu, which is a layer of its own."""
    return None if row.activation == "prelu" else row.activation


def _slope(number: int):
    """He 2015, section 2.1: a slope for each channel, 0.25 at first."""
    slope = initializers.Constant(0.25)
    return layers.PReLU(slope, shared_axes=(1, 2) if number < 6 else None, name=f"prelu{number}")


def _entering(model: keras.Model, layer: str):
    """The tensor that enters `layer`."""
    if layer == "conv1":
        return model.input
    return model.get_layer("flatten").output if layer == "fc6" else model.get_layer(layer).input
