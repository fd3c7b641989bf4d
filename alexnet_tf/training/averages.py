"""Exponential moving average of the weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf


class Averages:
    """The exponential moving averages of `variables` over the steps of a training."""

    def __init__(self, variables: Sequence[keras.Variable]):
        self.variables = variables
        self.means = [tf.Variable(variable) for variable in variables]
        # In many small steps XLA is faster.
        self._move = tf.function(self._towards, jit_compile=True)

    def add(self, steps: int, horizon: float) -> None:
        """Update the averages after `steps`; during the first `horizon` they are plain means."""
        self._move(tf.constant(1 / max(1.0, min(steps, horizon)), tf.float32))

    def _towards(self, share: tf.Tensor) -> None:
        for mean, variable in zip(self.means, self.variables):
            mean.assign_add(share * (variable - mean))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Run a block in which the variables have their averages as values."""
        weights = [variable.numpy() for variable in self.variables]
        for variable, mean in zip(self.variables, self.means):
            variable.assign(mean)
        try:
            yield
        finally:
            for variable, value in zip(self.variables, weights):
                variable.assign(value)

    def state(self) -> dict[str, np.ndarray]:
        """Return the averages by their names in a checkpoint."""
        return {name: mean.numpy() for name, mean in self._named()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        for name, mean in self._named():
            mean.assign(state[name])

    def _named(self) -> Iterator[tuple[str, tf.Variable]]:
        for mean, variable in zip(self.means, self.variables):
            layer, name = variable.path.rsplit("/", 2)[-2:]
            yield f"ema/{layer}/{name}", mean
