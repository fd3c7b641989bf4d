"""The moving mean of the weights over the steps of a training."""

import keras
import numpy as np
import pytest

from alexnet_tf.training.averages import Averages


@pytest.fixture
def layer():
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="fc8")
    layer.build((None, 1))
    return layer


def after(layer, weights, horizon):
    """Return the means while the weight of `layer` has these values, one after each step."""
    averages = Averages(layer.variables)
    for steps, weight in enumerate(weights, 1):
        layer.set_weights([np.float32([[weight]])])
        averages.add(steps, horizon)
    return averages


def test_of_the_first_steps_it_is_the_plain_mean_then_the_newest_has_its_share(layer):
    """By hand, over three steps: (6 + 9 + 0) / 3, then two thirds of that and a third of 8."""
    found = [
        float(after(layer, [6, 9, 0, 8][:steps], 3).state()["ema/fc8/kernel"][0, 0])
        for steps in (1, 2, 3, 4)
    ]
    assert found == pytest.approx([6, 7.5, 5, 5 * 2 / 3 + 8 / 3])


def test_over_less_than_a_step_it_is_the_newest(layer):
    assert after(layer, [6, 9], 0.5).state()["ema/fc8/kernel"] == 9


def test_the_variables_have_their_means_within_a_block_and_their_own_values_after_it(layer):
    averages = after(layer, [2, 4], 10)
    with averages.in_place():
        assert layer.get_weights()[0] == 3
    assert layer.get_weights()[0] == 4


def test_it_goes_on_from_a_checkpoint(layer):
    state = after(layer, [2, 4], 10).state()
    again = Averages(layer.variables)
    again.restore(state)
    layer.set_weights([np.float32([[9]])])
    again.add(3, 10)
    assert again.state()["ema/fc8/kernel"] == pytest.approx(5)
