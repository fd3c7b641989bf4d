"""The progress and the metrics of an epoch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Losses (pictures,) and hits (pictures,) in order; those of no pictures.
Result = tuple[tf.Tensor, tf.Tensor] | tuple[np.ndarray, np.ndarray]
NOTHING = (np.empty(0, np.float32), np.empty(0, bool))


class Epoch:
    """An unfinished epoch: `steps` done in `seconds`, and their `results`."""

    def __init__(self, steps: int = 0, seconds: float = 0.0, result: Result = NOTHING):
        self.steps, self.seconds, self.results = steps, seconds, [result]

    @classmethod
    def restored(cls, state: dict[str, np.ndarray]) -> Epoch:
        """Restore an epoch from its `state`; the oldest checkpoints have none."""
        if "epoch/steps" not in state:
            return cls()
        result = state["epoch/losses"], state["epoch/hits"]
        return cls(int(state["epoch/steps"]), float(state["epoch/seconds"]), result)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restored` needs, by its names in a checkpoint."""
        losses, hits = (np.concatenate(parts) for parts in zip(*self.results))
        return {
            "epoch/steps": np.array(self.steps),
            "epoch/seconds": np.array(self.seconds),
            "epoch/losses": losses,
            "epoch/hits": hits,
        }

    def add(self, result: Result) -> None:
        """Count a finished step."""
        self.steps += 1
        self.results.append(result)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Run a block whose duration counts, even if it raises."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - start


def mean_result(results: Iterable[Result], last: int = 0) -> tuple[float, float]:
    """Compute mean loss and accuracy of all pictures, or of the `last` ones."""
    losses, hits = (np.concatenate(parts)[-last:] for parts in zip(*results))
    return float(np.mean(losses, dtype=np.float64)), float(np.mean(hits))


class DatasetMetrics(NamedTuple):
    """Mean loss, accuracy and balanced accuracy (the mean of the classes' own) on n pictures, and
    the predictions for them: `probabilities`, float32 (n, classes)."""

    loss: float
    accuracy: float
    balanced_accuracy: float
    probabilities: np.ndarray


def compute_metrics(
    losses: np.ndarray, hits: np.ndarray, probabilities: np.ndarray, labels: np.ndarray
) -> DatasetMetrics:
    """Compute metrics from losses, hits and probabilities of pictures with `labels`."""
    shares = [np.mean(hits[labels == label]) for label in np.unique(labels)]
    return DatasetMetrics(*mean_result([(losses, hits)]), float(np.mean(shares)), probabilities)
