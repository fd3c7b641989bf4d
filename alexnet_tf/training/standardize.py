"""What a head can learn from: its inputs standardized, and that moved into its first layer.

pool5 of pretrained convolutions is positive and reaches several hundred, on which a fresh head
explodes or learns nothing. What a pretrained fc6 or fc7 gives is standardized likewise, so that a
rate is as good for whatever file it is from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Standardization:
    """(inputs − `center`) × `scale`: less the mean of each value, divided by the deviation of all,
    or a multiple of it.

    `center` is float64 (values,), `scale` float32. In float64 it is taken out of a given layer; in
    float32 it is applied and folded into one, as the network computes.
    """

    center: np.ndarray
    scale: np.float32

    @classmethod
    def none(cls, values: int) -> Standardization:
        """Return one that leaves inputs of so many `values` as they are."""
        return cls(np.zeros(values), np.float32(1))

    @classmethod
    def fit(cls, inputs: np.ndarray, deviation: float = 1.0) -> Standardization:
        """Return the one that gives these, float32 (pictures, values), mean 0 and `deviation`."""
        center = inputs.mean(axis=0, dtype=np.float64)
        found = np.sqrt(np.mean((inputs - center) ** 2)) or 1.0
        return cls(center, np.float32(deviation / found))

    def apply(self, inputs: Any) -> Any:
        """Standardize inputs, an array or a tensor (pictures, values)."""
        return (inputs - self.center.astype(np.float32)) * self.scale

    def folded_into(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the layer that makes of inputs what this one makes of them standardized."""
        kernel = kernel * self.scale
        return kernel, bias - self.center.astype(np.float32) @ kernel

    def taken_out_of(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the layer that makes of them standardized what this one makes of inputs."""
        return kernel / self.scale, bias + self.center @ kernel
