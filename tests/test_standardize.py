"""Inputs of a head standardized, and that moved into its first layer."""

import numpy as np
import pytest

from alexnet_tf.training.standardize import Standardization

INPUTS = np.float32([[1, 10, 300], [3, 30, 500], [5, 20, 100], [7, 40, 700]])


@pytest.mark.parametrize("deviation", [1.0, 0.25])
def test_each_value_has_the_mean_0_and_all_have_the_deviation(deviation):
    found = Standardization.fit(INPUTS, deviation)
    np.testing.assert_allclose(found.center, [4, 25, 400])
    # By hand: the squares 20, 500 and 200,000 over 12 values.
    assert found.scale == pytest.approx(deviation / (200_520 / 12) ** 0.5)
    seen = found.apply(INPUTS)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-6)
    assert seen.std() == pytest.approx(deviation, rel=1e-6)


def test_values_that_never_vary_become_0():
    found = Standardization.fit(np.full((3, 2), 7, np.float32))
    assert found.scale == 1
    np.testing.assert_array_equal(found.apply(np.float32([[7, 9]])), [[0, 2]])


def test_none_leaves_everything_as_it_is():
    np.testing.assert_array_equal(Standardization.none(3).apply(INPUTS), INPUTS)


def test_a_layer_sees_the_same_whether_it_is_folded_in_or_taken_out():
    random = np.random.default_rng(0)
    kernel, bias = random.normal(0, 1, (3, 2)).astype("f4"), np.float32([0.5, -2])
    fitted = Standardization.fit(INPUTS, 0.5)
    standardized = fitted.apply(INPUTS)
    folded = fitted.folded_into(kernel, bias)
    np.testing.assert_allclose(
        INPUTS @ folded[0] + folded[1], standardized @ kernel + bias, rtol=1e-4, atol=1e-5
    )
    taken = fitted.taken_out_of(kernel, bias)
    np.testing.assert_allclose(
        standardized @ taken[0] + taken[1], INPUTS @ kernel + bias, rtol=1e-4, atol=1e-3
    )
