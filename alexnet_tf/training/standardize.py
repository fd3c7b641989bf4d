"""pool5 as a head can learn from it: standardized, and the standardization moved into fc6.

pool5 of pretrained convolutions is positive and reaches several hundred, on which a fresh head
explodes or learns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Standardization:
    """(pool5 − `center`) × `scale`: less the mean of each value, divided by the deviation of all.

    `center` is float64 (values,), `scale` float32. In float64 it is taken out of a given fc6; in
    float32 it is applied and folded into one, as the network computes.
    """

    center: np.ndarray
    scale: np.float32

    @classmethod
    def none(cls, values: int) -> Standardization:
        """Return one that leaves pool5, so many `values`, as it is."""
        return cls(np.zeros(values), np.float32(1))

    @classmethod
    def fit(cls, pool5: np.ndarray) -> Standardization:
        """Return the one by which pool5, float32 (pictures, values), has mean 0 and deviation 1."""
        center = pool5.mean(axis=0, dtype=np.float64)
        return cls(center, np.float32(1 / (np.sqrt(np.mean((pool5 - center) ** 2)) or 1.0)))

    def apply(self, pool5):
        """Standardize pool5, an array or a tensor (pictures, values)."""
        return (pool5 - self.center.astype(np.float32)) * self.scale

    def folded_into(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the fc6 that makes of pool5 what this one makes of it standardized."""
        kernel = kernel * self.scale
        return kernel, bias - self.center.astype(np.float32) @ kernel

    def taken_out_of(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the fc6 that makes of standardized pool5 what this one makes of it as it is."""
        return kernel / self.scale, bias + self.center @ kernel
