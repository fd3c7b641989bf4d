"""Heat where a network that is known by construction looks."""

import keras
import numpy as np
import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.gradcam import grad_cam, overlay
from alexnet_tf.model import AlexNet
from tests.support.small import LENET

RED, GREEN = 0, 1


def picture():
    """Red in the corner at the top left, green in that at the bottom right: (24, 24, 3)."""
    picture = np.zeros((24, 24, 3), np.float32)
    picture[:6, :6, RED] = picture[18:, 18:, GREEN] = 1
    return picture


def network(mirrored=False, windows=1):
    """A network that counts red pixels for class 0 and green ones for class 1."""
    data = keras.Input((24, 24, 3), name="data")
    x = keras.ops.concatenate([data, data[:, :, ::-1]], axis=0) if mirrored else data
    conv = keras.layers.Conv2D(2, 1, strides=2, activation="relu", name="conv5")
    x = conv(x)
    if windows > 1:  # rows of the map, of which each is a window
        x = keras.ops.reshape(x, (-1, 144 * 2 // windows))
    fc8 = keras.layers.Dense(2, name="fc8")
    x = fc8(keras.layers.Flatten()(x))
    views = (1 + mirrored, -1, windows, 2) if windows > 1 else (1 + mirrored, -1, 1, 2)
    model = keras.Model(data, keras.ops.mean(keras.ops.reshape(x, views), axis=(0, 2)))
    conv.set_weights([np.eye(3, dtype="f4")[None, None, :, :2], np.zeros(2, "f4")])
    fc8.set_weights([np.tile(np.eye(2, dtype="f4"), (144 // windows, 1)), np.zeros(2, "f4")])
    return model


@pytest.mark.parametrize(("mirrored", "windows"), [(False, 1), (True, 1), (False, 4), (True, 4)])
def test_the_heat_is_where_the_class_is(mirrored, windows):
    """The heat map is that of the picture, whatever views of it are predicted."""
    pictures = np.stack([picture(), picture(), np.flip(picture(), 1)])

    heat = grad_cam(network(mirrored, windows), pictures, np.array([RED, GREEN, RED]))

    expected = np.zeros((3, 12, 12), np.float32)
    expected[0, :3, :3] = expected[1, 9:, 9:] = expected[2, :3, 9:] = 1
    np.testing.assert_array_equal(heat, expected)


def test_a_picture_in_which_nothing_speaks_for_a_class_stays_cold():
    pictures = np.stack([np.zeros((24, 24, 3), np.float32), picture()])

    heat = grad_cam(network(), pictures, np.array([RED, RED]))

    assert heat[0].max() == 0 and heat[1].max() == 1


def test_each_convolution_of_an_alexnet_can_be_asked_and_nothing_else():
    model = AlexNet(LENET["variant"], 2, seed=0)
    inputs = np.random.default_rng(0).random((3, 32, 32, 3), np.float32)

    shapes = {grad_cam(model, inputs, np.array([0, 1, 1]), name).shape for name in ("conv1", None)}

    assert shapes == {(3, 28, 28), (3, 10, 10)}
    with pytest.raises(UserError, match="'fc7' is no convolution of this network; it has conv1, c"):
        grad_cam(model, inputs, np.array([0, 1, 1]), "fc7")


def test_frozen_layers_are_looked_into_too():
    model = network()
    model.trainable = False

    assert grad_cam(model, picture()[None], np.array([RED])).max() == 1


def test_an_overlay_is_warm_where_the_heat_is():
    grey = np.full((60, 90, 3), 128, np.uint8)
    heat = np.zeros((6, 9), np.float32)
    heat[0, 0] = 1

    warm = overlay(grey, heat)

    assert warm.shape == grey.shape and warm.dtype == np.uint8
    red, _, blue = np.moveaxis(warm.astype(int), -1, 0)
    assert (red - blue)[:5, :5].min() > 40 and (red - blue)[30:, 45:].max() < 0
