"""The engines that compute frozen layers, each forced on any machine: a test with the fixture
`each_engine` runs once with each. Another engine is another entry of `ENGINES`.

How far its numbers may be off follows from how far it rounds one, here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.frozen.layers import NotHere, frozen_part
from alexnet_tf.model import AlexNet, dtype_policy, part
from alexnet_tf.system.processor import VARIABLE
from alexnet_tf.variants import get_variant

# fc6 of BVLC adds up so many products, which no layer exceeds.
MOST_TERMS = 9216
DRAWS = 4


@dataclass(frozen=True)
class Engine:
    """Its `name`, what `environment` chooses it, and how far it rounds a number: `unit` of that."""

    name: str
    environment: Mapping[str, str]
    unit: float

    def error(self, layers: int) -> float:
        """Return the relative error that so many layers one after the other come to.

        Kernels and inputs of a layer are rounded, and products added up in float32. Errors being
        independent, their squares add up (Higham 2002, section 2.8).
        """
        return np.sqrt(layers * (2 * self.unit**2 + MOST_TERMS * FLOAT32**2))

    def probability_error(self, layers: int, probabilities: np.ndarray) -> float:
        """Return how far `probabilities` (n, 2) of two classes are off after so many layers.

        The logistic function is nowhere steeper than 1/4.
        """
        logits = np.log(probabilities[:, 0] / probabilities[:, 1])
        return self.error(layers) * np.abs(logits).max() / 4

    def answers_error(self, model: keras.Model, inputs: np.ndarray) -> float:
        """Return how far this engine's answers to `inputs` may be from those of `model`.

        Each number in a kernel of its convolutions is moved up or down, at random, as far as a
        layer is off. By so much the answers move as rounding moves them: the farthest that any of
        them is in four draws is three standard deviations or so, and it is taken twice.
        """
        exact, random = model.predict_on_batch(inputs), np.random.default_rng(0)
        moved, farthest = keras.models.clone_model(model), 0.0
        for _ in range(DRAWS):
            for layer, known in zip(moved.layers, model.layers):
                far = self.error(1) if layer.name.startswith("conv") else 0.0
                signs = (random.choice([-1, 1], each.shape) for each in known.weights)
                layer.set_weights(
                    [each * (1 + far * sign) for each, sign in zip(known.get_weights(), signs)]
                )
            farthest = max(farthest, np.abs(moved.predict_on_batch(inputs) - exact).max())
        return 2 * farthest


# Unit roundoff of a significand of p bits: 2^-p.
FLOAT32, FLOAT16, BFLOAT16 = 2.0**-24, 2.0**-11, 2.0**-8
# Steps of int8 are as wide for small numbers as for the largest, some three times as large as the
# usual ones: 3 · 2^-8 / √3, of numbers that are equally likely anywhere in a step.
INT8 = 3 * 2.0**-8 / 3**0.5


def skip_without_bfloat16() -> None:
    """Leave a test out where TensorFlow computes nothing in bfloat16."""
    try:
        dtype_policy("bfloat16")
    except UserError as error:
        pytest.skip(str(error))


def skip_if_int8_overflows() -> None:
    """Leave a test of conv1 in int8 out on a processor that is not to compute it so."""
    if _overflows():
        pytest.skip("int8 overflows here, as without VNNI")


@cache
def _overflows() -> bool:
    """Tell whether the sum of two products of the largest bytes is cut off here."""
    variant = get_variant("lenet5")
    model = part(AlexNet(variant, 2), "conv1", "conv2")
    kernel, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([np.ones_like(kernel), bias])
    try:
        frozen_part(model, variant, "int8", 1)
    except NotHere:
        return True
    return False


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("float32", {VARIABLE: "float32"}, FLOAT32),
        Engine("bfloat16", {VARIABLE: "bfloat16"}, BFLOAT16),
        Engine("int8", {VARIABLE: "int8"}, INT8),
    )
}
