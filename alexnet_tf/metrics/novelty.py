"""Novelty: how unlike all training pictures a picture is, whatever class it is given.

It is a Mahalanobis distance (Lee 2018, section 2) to the nearest class, between logarithms of the
convolutions' channel statistics. docs/accuracy.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Share of unseen pictures like the training pictures whose novelty is above 1.
FLAGGED = 0.02
# The logarithms are of 1 + statistic / (share × its mean), with a share for each of the two.
SHARES = 0.3, 0.05
# Weight of the mean variance in place of the covariance, and the least deviation of a statistic,
# relative to their mean.
SHRINKAGE, LEAST_DEVIATION = 0.5, 0.05
# Weight of the logarithm of the total in deviations, and their least: noise and text excite little.
TOTAL, LEAST_OF_TOTAL = 3.0, 0.1
# The cross-validation that sets the threshold has folds for about so many fits of a picture, within
# these bounds; fewest different pictures to fit.
FITS, FOLDS, LEAST = 8000, (5, 40), 10
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Novelty:
    """What is typical of the training pictures, in units in which the threshold is 1.

    For c channels, all float32: `scales` (2,) of the statistics; mean and factor of the logarithm
    of their `total` (2,); `whitening` (2, c, c) of the logarithms, and then their means, `centers`
    (classes, 2c).
    """

    scales: np.ndarray
    total: np.ndarray
    whitening: np.ndarray
    centers: np.ndarray

    @classmethod
    def fit(
        cls, statistics: np.ndarray, labels: np.ndarray
    ) -> tuple[Novelty | None, np.ndarray | float]:
        """Fit it to training pictures: `statistics` (n, 2c), which `ChannelStatistics` computes,
        and `labels` (n,). Return it, and their own novelty (n,), each measured without its fold,
        of which `FLAGGED` exceed the threshold; (None, NaN) for fewer than `LEAST` different ones.
        """
        _, different, copies = np.unique(statistics, axis=0, return_index=True, return_inverse=True)
        statistics, labels = statistics[different].astype(np.float64), labels[different]
        if len(labels) < LEAST:
            return None, np.nan
        distances = np.empty(len(labels))
        for fold in _folds(labels):
            distances[fold] = cls._fit(statistics[~fold], labels[~fold]).of(statistics[fold])
        threshold = float(np.quantile(distances, 1 - FLAGGED))
        return cls._fit(statistics, labels, threshold), distances[copies.ravel()] / threshold

    @classmethod
    def _fit(cls, statistics: np.ndarray, labels: np.ndarray, threshold: float = 1.0) -> Novelty:
        halves = statistics.reshape(len(labels), 2, -1)
        scales = np.maximum(halves.mean(axis=(0, 2)) * SHARES, TINY)
        values, totals = _logarithms(halves, scales), _log_totals(halves)
        factor = TOTAL / max(totals.std(), LEAST_OF_TOTAL) / threshold
        present, numbers = np.unique(labels, return_inverse=True)
        means = np.stack([values[labels == label].mean(axis=0) for label in present])
        rest = values - means[numbers]
        whitening = np.stack([_whitening(rest[:, half]) for half in (0, 1)]) / threshold
        found = scales, np.array([totals.mean(), factor]), whitening, _whitened(means, whitening)
        return cls(*(each.astype(np.float32) for each in found))

    def of(self, statistics: np.ndarray) -> np.ndarray:
        """Compute the novelty, float32 (n,), of pictures with `statistics` (n, 2c): above 1 for
        those that are unlike all training pictures."""
        halves = statistics.reshape(len(statistics), 2, -1)
        white = _whitened(_logarithms(halves, self.scales), self.whitening)
        nearest = np.min([((white - mean) ** 2).sum(axis=1) for mean in self.centers], axis=0)
        total = (_log_totals(halves) - self.total[0]) * self.total[1]
        return np.sqrt(nearest + total**2).astype(np.float32)

    def to_bytes(self) -> bytes:
        """Return all numbers as bytes."""
        return b"".join(each.tobytes() for each in vars(self).values())

    @classmethod
    def from_bytes(cls, content: bytes, channels: int) -> Novelty:
        """Return what `to_bytes` converted; ValueError for anything else."""
        numbers = np.frombuffer(content, np.float32)
        scales, total, whitening, centers = np.split(numbers, [2, 4, 4 + 2 * channels**2])
        if not (centers.size and np.isfinite(numbers).all()):
            raise ValueError("too short, or not finite")
        whitening = whitening.reshape(2, channels, channels)
        return cls(scales, total, whitening, centers.reshape(-1, 2 * channels))


def _folds(labels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pictures of each fold, bool (n,): the classes are spread over all."""
    least, most = FOLDS
    count = min(max(least, FITS // len(labels)), most, len(labels))
    places = np.empty(len(labels), np.int64)
    places[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % count
    yield from (places == fold for fold in range(count))


def _logarithms(halves: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Describe statistics (n, 2, c); only activations other than relu have negative ones."""
    return np.log1p(np.maximum(halves, 0) / scales[:, None])


def _log_totals(halves: np.ndarray) -> np.ndarray:
    """Return the logarithms (n,) of the mean over all channels, from statistics (n, 2, c)."""
    return np.log(np.maximum(halves[:, 1].mean(axis=1), TINY))


def _whitened(values: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Multiply both halves of values (n, 2, c) by their matrices, which makes them (n, 2c)."""
    return np.hstack([values[:, half] @ whitening[half] for half in (0, 1)])


def _whitening(rest: np.ndarray) -> np.ndarray:
    """Return the matrix (c, c) that makes the shrunk covariance of values (n, c) the identity."""
    deviations = rest.std(axis=0)
    deviations += LEAST_DEVIATION * deviations.mean() or 1.0
    rest = rest / deviations
    covariance = (1 - SHRINKAGE) * rest.T @ rest / len(rest)
    # Classes of one picture each do not vary.
    covariance += SHRINKAGE * (np.mean(rest**2) or 1.0) * np.eye(len(deviations))
    return np.linalg.inv(np.linalg.cholesky(covariance)).T / deviations[:, None]
