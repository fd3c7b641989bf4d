"""Standardization of the head's inputs, which is folded into its first layer. pool5 of pretrained
convolutions is positive and reaches several hundred, on which a new head diverges or learns
nothing; outputs of a pretrained fc6 or fc7 are standardized too, so that a learning rate suits any
file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Standardization:
    """(inputs − `center`) × `scale`: the mean of each value is subtracted, float64 (values,), and
    all are divided by their common deviation, or a multiple of it, float32. Removing it from a
    layer computes in float64, applying and folding it in float32 as the network does."""

    center: np.ndarray
    scale: np.float32

    @classmethod
    def none(cls, values: int) -> Standardization:
        """Return the identity for inputs of so many `values`."""
        return cls(np.zeros(values), np.float32(1))

    @classmethod
    def fit(cls, inputs: np.ndarray, deviation: float = 1.0) -> Standardization:
        """Fit inputs, float32 (pictures, values), to mean 0 and `deviation`."""
        center = inputs.mean(axis=0, dtype=np.float64)
        found = np.sqrt(np.mean((inputs - center) ** 2)) or 1.0
        return cls(center, np.float32(deviation / found))

    def apply(self, inputs: Any) -> Any:
        """Standardize inputs, an array or a tensor (pictures, values)."""
        return (inputs - self.center.astype(np.float32)) * self.scale

    def folded_into(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the layer whose outputs for inputs are this one's for standardized inputs."""
        kernel = kernel * self.scale
        return kernel, bias - self.center.astype(np.float32) @ kernel

    def taken_out_of(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the layer whose outputs for standardized inputs are this one's for inputs."""
        return kernel / self.scale, bias + self.center @ kernel
