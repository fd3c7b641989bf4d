"""The two layers that Keras lacks, beside a formula and beside Keras."""

import keras
import numpy as np
import pytest

from alexnet_tf.layers import GroupedConv2D, LocalResponseNormalization


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
