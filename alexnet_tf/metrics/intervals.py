"""Confidence intervals of a share."""

from __future__ import annotations

import math


def wilson_interval(hits: float, total: int) -> tuple[float, float]:
    """Return the 95% interval of a share of which `hits` in `total` were seen (Wilson 1927)."""
    z = 1.959964  # the normal distribution's quantile of 0.975
    centre = (hits + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(hits * (total - hits) / total + z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
