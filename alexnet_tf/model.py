"""AlexNet as a flat Keras functional graph, every layer under its Caffe name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
from keras import initializers, layers

from alexnet_tf.errors import UserError
from alexnet_tf.layers import GroupedConv2D, LocalResponseNormalization
from alexnet_tf.variants import (
    CONV_LAYERS,
    FC_LAYERS,
    KERNEL_SIZES,
    POOL_SIZE,
    POOL_STRIDE,
    STRIDES,
    Initial,
    Variant,
    get_variant,
)
from alexnet_tf.weights import Weights, check_weights, load_weights, read_weights

# Random numbers that weights then replace would take a second and 300 MB.
ZEROS = Initial((), ())


def AlexNet(
    variant: str = "bvlc",
    classes: int = 1000,
    weights: str | Path | Weights | None = None,
    include_top: bool = True,
    precision: str = "float32",
    name: str = "alexnet",
) -> keras.Model:
    """AlexNet, in the manner of ``keras.applications``.

    Input: float32 (batch, 227, 227, 3) as `preprocess_input` returns it; some variants take 224 or
    32 pixels. Output: the probabilities (batch, classes) of the layer ``prob``; the layer ``fc8``
    gives the logits. With ``include_top=False`` the output is ``pool5`` (batch, 6, 6, 256).

    `variant` is a row of `alexnet_tf.variants`; `weights` a file that `read_weights` reads, which
    must hold every layer of the model, or what `check_weights` returned, or None to start at
    random as the variant does. With ``precision="bfloat16"`` the layers compute in bfloat16 on
    float32 weights, and the output is bfloat16. Raises UserError for an unknown variant or for
    weights that do not fit.

    >>> AlexNet().count_params()
    60965224
    """
    row = get_variant(variant)
    if isinstance(weights, str | Path):
        needed = classes if include_top else None
        weights = check_weights(read_weights(weights), row, weights, needed)
    if weights is not None:
        row = replace(row, initial=ZEROS)
    with _computing_in(precision):
        inputs = keras.Input((row.image_size, row.image_size, len(row.channels)), name="data")
        outputs = _convolutions(inputs, row)
        if include_top:
            outputs = _classifier(outputs, row, classes)
        model = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        load_weights(model, weights)
    return model


def Head(variant: str = "bvlc", classes: int = 1000, seed: int | None = None) -> keras.Model:
    """fc6 … prob alone: what is trained on the pool5 of frozen convolutions.

    Input: float32 (batch, 6, 6, 256), the pool5 of `variant`. Output: probabilities
    (batch, classes). `seed` fixes the initial kernels and the dropout. The kernels are Keras's
    default ones, whatever the variant's row says: that one is for training all layers together.
    """
    row = replace(get_variant(variant), initial=None)
    inputs = keras.Input(row.pool5_shape, name="pool5")
    return keras.Model(inputs, _classifier(inputs, row, classes, seed), name="head")


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


def _convolutions(x, row: Variant):
    if any(row.border):
        x = layers.ZeroPadding2D((row.border, row.border), name="conv1_border")(x)
    for index, name in enumerate(CONV_LAYERS):
        x = GroupedConv2D(
            row.filters[index],
            KERNEL_SIZES[index],
            strides=STRIDES[index],
            padding=row.padding if name == "conv1" else "same",
            groups=row.groups[index],
            activation="relu",
            name=name,
            **_initializers(row, name),
        )(x)
        if name in ("conv1", "conv2"):
            for step in row.after_conv:
                x = _AFTER_CONV[step](row, f"{step}{index + 1}")(x)
    return _pool(row, "pool5")(x)


def _classifier(x, row: Variant, classes: int, seed: int | None = None):
    x = layers.Flatten(name="flatten")(x)
    for index in (6, 7):
        for step in row.head:
            x = _HEAD[step](row, f"{step}{index}", seed)(x)
    x = layers.Dense(classes, name="fc8", **_initializers(row, "fc8", seed))(x)
    return layers.Softmax(name="prob")(x)


def _norm(row: Variant, name: str):
    return LocalResponseNormalization(
        row.lrn_radius, row.lrn_alpha, row.lrn_beta, row.lrn_bias, name=name
    )


def _pool(row: Variant, name: str):
    return layers.MaxPooling2D(POOL_SIZE, POOL_STRIDE, row.padding, name=name)


def _dense(row: Variant, name: str, seed: int | None):
    return layers.Dense(
        row.fc_units, activation="relu", name=name, **_initializers(row, name, seed)
    )


def _dropout(row: Variant, name: str, seed: int | None):
    return layers.Dropout(row.dropout, seed=_seed(name, seed), name=name)


_AFTER_CONV = {"norm": _norm, "pool": _pool}
_HEAD = {"fc": _dense, "drop": _dropout}


def _initializers(row: Variant, name: str, seed: int | None = None) -> dict[str, Any]:
    """The initial kernel and bias of the layer `name`, as its keyword arguments."""
    seed = _seed(name, seed)
    if row.initial == ZEROS:
        return {"kernel_initializer": "zeros"}
    if row.initial is None:
        return {"kernel_initializer": initializers.GlorotUniform(seed)}
    place = (*CONV_LAYERS, *FC_LAYERS).index(name)
    random = initializers.TruncatedNormal if row.initial.truncated else initializers.RandomNormal
    return {
        "kernel_initializer": random(0.0, row.initial.deviations[place], seed),
        "bias_initializer": initializers.Constant(row.initial.biases[place]),
    }


# The random layers of a head.
_SEEDED = ("fc6", "fc7", "drop6", "drop7", "fc8")


def _seed(name: str, seed: int | None) -> int | None:
    """A seed for the layer `name` alone; None when `seed` is."""
    return None if seed is None else len(_SEEDED) * seed + _SEEDED.index(name)
