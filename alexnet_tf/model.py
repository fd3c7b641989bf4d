"""AlexNet as a flat Keras functional graph, every layer under its Caffe name."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from alexnet_tf.errors import UserError
from alexnet_tf.layers import GroupedConv2D, LocalResponseNormalization
from alexnet_tf.variants import (
    CONV_LAYERS,
    KERNEL_SIZES,
    PADDINGS,
    POOL_SIZE,
    POOL_STRIDE,
    STRIDES,
    Variant,
    get_variant,
)
from alexnet_tf.weights import Weights, check_weights, load_weights, read_weights


def AlexNet(
    variant: str = "bvlc",
    classes: int = 1000,
    weights: str | Path | Weights | None = None,
    include_top: bool = True,
    name: str = "alexnet",
) -> keras.Model:
    """AlexNet, in the manner of ``keras.applications``.

    Input: float32 (batch, 227, 227, 3) as `preprocess_input` returns it. Output: the
    probabilities (batch, classes) of the layer ``prob``; the layer ``fc8`` gives the logits. With
    ``include_top=False`` the output is ``pool5`` (batch, 6, 6, 256).

    `variant` is a row of `alexnet_tf.variants`; `weights` a file that `read_weights` reads, which
    must hold every layer of the model, or what `check_weights` returned, or None to start at
    random. Raises UserError for an unknown variant or for weights that do not fit.

    >>> AlexNet().count_params()
    60965224
    """
    row = get_variant(variant)
    inputs = keras.Input((row.image_size, row.image_size, len(row.channels)), name="data")
    # Random numbers that weights then replace would take a second and 300 MB.
    zeros = weights is not None
    outputs = _convolutions(inputs, row, zeros)
    if include_top:
        outputs = _classifier(outputs, row, classes, zeros=zeros)
    model = keras.Model(inputs, outputs, name=name)
    if isinstance(weights, str | Path):
        needed = classes if include_top else None
        weights = check_weights(read_weights(weights), row, weights, needed)
    if weights is not None:
        load_weights(model, weights)
    return model


def Head(variant: str = "bvlc", classes: int = 1000, seed: int | None = None) -> keras.Model:
    """fc6 … prob alone: what is trained on the pool5 of frozen convolutions.

    Input: float32 (batch, 6, 6, 256), the pool5 of `variant`. Output: probabilities
    (batch, classes). `seed` fixes the initial kernels and the dropout.
    """
    row = get_variant(variant)
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


def _convolutions(x, row: Variant, zeros: bool = False):
    for index, name in enumerate(CONV_LAYERS):
        x = GroupedConv2D(
            row.filters[index],
            KERNEL_SIZES[index],
            strides=STRIDES[index],
            padding=PADDINGS[index],
            groups=row.groups[index],
            activation="relu",
            kernel_initializer="zeros" if zeros else "glorot_uniform",
            name=name,
        )(x)
        if index < 2:
            for step in row.after_conv:
                x = _AFTER_CONV[step](row, f"{step}{index + 1}")(x)
    return _pool(row, "pool5")(x)


def _classifier(x, row: Variant, classes: int, seed: int | None = None, zeros: bool = False):
    seeds = [None] * 5 if seed is None else range(5 * seed, 5 * seed + 5)
    initializers = [
        keras.initializers.Zeros() if zeros else keras.initializers.GlorotUniform(seeds[number])
        for number in (0, 1, 4)
    ]
    x = layers.Flatten(name="flatten")(x)
    for index in (6, 7):
        x = layers.Dense(
            row.fc_units,
            activation="relu",
            kernel_initializer=initializers[index - 6],
            name=f"fc{index}",
        )(x)
        x = layers.Dropout(row.dropout, seed=seeds[index - 4], name=f"drop{index}")(x)
    x = layers.Dense(classes, kernel_initializer=initializers[2], name="fc8")(x)
    return layers.Softmax(name="prob")(x)


def _norm(row: Variant, name: str):
    return LocalResponseNormalization(
        row.lrn_radius, row.lrn_alpha, row.lrn_beta, row.lrn_bias, name=name
    )


def _pool(row: Variant, name: str):
    return layers.MaxPooling2D(POOL_SIZE, POOL_STRIDE, name=name)


_AFTER_CONV = {"norm": _norm, "pool": _pool}
