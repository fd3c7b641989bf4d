"""The layers that Keras lacks, beside formulas, loops and Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.layers import (
    Dense,
    GroupedConv2D,
    LocalResponseNormalization,
    MeanOfViews,
    Windows,
    WithMirrorImage,
)


def normalize(x, radius, alpha, beta, bias):
    """Compute the formula of the paper's section 3.3, channel by channel."""
    y = np.empty_like(x)
    channels = x.shape[-1]
    for c in range(channels):
        neighbours = x[..., max(0, c - radius) : min(channels, c + radius + 1)]
        y[..., c] = x[..., c] / (bias + alpha * (neighbours**2).sum(-1)) ** beta
    return y


@pytest.mark.parametrize("parameters", [(2, 2e-5, 0.75, 1.0), (2, 1e-4, 0.75, 2.0), (1, 1, 0.5, 1)])
def test_normalization_is_the_formula_of_the_paper(parameters):
    x = np.random.default_rng(0).normal(0, 100, (2, 3, 3, 7))
    layer = LocalResponseNormalization(*parameters)
    np.testing.assert_allclose(layer(x.astype("f4")), normalize(x, *parameters), rtol=2e-6)


def test_groups_give_what_keras_gives():
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 8)).astype("f4")
    ours = GroupedConv2D(6, 3, padding="same", groups=2)
    theirs = keras.layers.Conv2D(6, 3, padding="same", groups=2)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    assert ours.kernel.shape == (3, 3, 4, 6)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


def numbered(*shape):
    """Number the values of an array, so that every place has its own."""
    return np.arange(np.prod(shape), dtype="f4").reshape(shape)


def test_windows_are_all_there_are_row_after_row_and_values_a_stride_apart():
    """Of 5 × 6 maxima: 2 × 2 of them 2 apart reach over 3, so there are 3 × 4 windows."""
    maxima = numbered(2, 5, 6, 3)
    expected = [
        [maxima[picture, top + row, left + column] for row in (0, 2) for column in (0, 2)]
        for picture in (0, 1)
        for top in (0, 1, 2)
        for left in (0, 1, 2, 3)
    ]
    layer = Windows(2, 2)
    np.testing.assert_array_equal(layer(maxima), np.reshape(expected, (24, 12)))
    assert layer(keras.Input((5, 6, 3))).shape == (None, 12)


def test_windows_of_the_width_three_are_read_in_steps_of_one():
    maxima = numbered(1, 4, 4, 1)
    first, second, third, fourth = np.asarray(Windows(3, 1)(maxima))
    np.testing.assert_array_equal(first, [0, 1, 2, 4, 5, 6, 8, 9, 10])
    assert [window[0] for window in (second, third, fourth)] == [1, 4, 5]


def test_mirror_images_follow_all_the_pictures():
    pictures = numbered(2, 3, 4, 3)
    layer = WithMirrorImage()
    expected = np.concatenate([pictures, pictures[:, :, ::-1]])
    np.testing.assert_array_equal(layer(pictures), expected)
    assert layer(keras.Input((3, 4, 3))).shape == (None, 3, 4, 3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_mean_of_views_is_that_over_windows_and_mirror_images_of_each_picture(mirrored):
    images, pictures, windows, classes = 1 + mirrored, 3, 4, 2
    seen = np.random.default_rng(0).random((images * pictures * windows, classes), "f4")
    expected = [
        np.mean(
            [
                seen[(image * pictures + picture) * windows + window]
                for image in range(images)
                for window in range(windows)
            ],
            axis=0,
        )
        for picture in range(pictures)
    ]
    layer = MeanOfViews(windows, mirrored)
    np.testing.assert_allclose(layer(seen), expected, rtol=1e-6)
    assert layer(keras.Input((classes,))).shape == (None, classes)


def test_normalization_of_bfloat16_is_computed_in_float32():
    x = np.random.default_rng(0).normal(0, 100, (2, 3, 3, 7)).astype("f4")
    rounded = keras.ops.cast(x, "bfloat16")
    found = LocalResponseNormalization(2, 1e-4, 0.75, 2.0, dtype="bfloat16")(rounded)
    assert found.dtype == "bfloat16" and found.shape == x.shape
    exact = normalize(np.asarray(keras.ops.cast(rounded, "float32"), "f8"), 2, 1e-4, 0.75, 2.0)
    # bfloat16 has 8 bits of significand: what is rounded once is off by 2 ** -9 at most.
    np.testing.assert_allclose(keras.ops.cast(found, "float32"), exact, rtol=2**-8)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (GroupedConv2D(4, 3, dtype="mixed_bfloat16"), (8, 30, 30, 4)),
        (GroupedConv2D(4, 3, groups=2, dtype="mixed_bfloat16"), (8, 30, 30, 4)),
        (Dense(4, dtype="mixed_bfloat16"), (2000, 4)),
        (keras.layers.PReLU(shared_axes=(1, 2), dtype="mixed_bfloat16"), (8, 30, 30, 4)),
        (keras.layers.PReLU(dtype="mixed_bfloat16"), (2000, 4)),
    ],
    ids=["convolution", "groups", "dense", "slopes of maps", "slopes"],
)
@pytest.mark.bfloat16
def test_thousands_of_places_all_count_in_the_gradients_of_bfloat16(layer, shape):
    """Beside float64: sums in bfloat16 stop to grow at 256 times of what is added."""
    values = tf.random.stateless_uniform(shape, (1, 2), -1, 1)
    values = tf.cast(tf.cast(values, "bfloat16"), "float32")  # which bfloat16 has exactly
    exact = type(layer).from_config(layer.get_config() | {"dtype": "float64"})

    def gradients(layer, values):
        layer.build(shape)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.cast(layer(values), "float64"))
        return [tf.cast(each, "float64") for each in tape.gradient(total, layer.trainable_weights)]

    for ours, theirs in zip(gradients(layer, values), gradients(exact, values), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.005, atol=0.002 * np.prod(shape[:-1]))
