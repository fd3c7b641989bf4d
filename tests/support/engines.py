"""What may compute the frozen layers, each forced on any machine: a test that takes the fixture
`each_engine` runs once with each. Another engine is another entry of `ENGINES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alexnet_tf.system.processor import VARIABLE

# fc6 of BVLC adds up so many products, which no layer exceeds.
MOST_TERMS = 9216


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


# Of p bits of a significand, rounded to the nearest: 2^-p.
FLOAT32, FLOAT16, BFLOAT16 = 2.0**-24, 2.0**-11, 2.0**-8
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("float32", {VARIABLE: "float32"}, FLOAT32),
        Engine("bfloat16", {VARIABLE: "bfloat16"}, BFLOAT16),
    )
}
