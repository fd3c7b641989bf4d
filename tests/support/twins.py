"""Two workers of one training as two threads of this process, which add by meeting each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import numpy as np
import tensorflow as tf

from alexnet_tf.training.distribution import Workers

Made = TypeVar("Made")
# Seconds that one waits for the other.
PATIENCE = 120


class Meeting:
    """Where two add what each of them has."""

    def __init__(self):
        self.barrier, self.brought = Barrier(2, timeout=PATIENCE), [(), ()]

    def sum(self, index: int, *arrays: np.ndarray) -> list[np.ndarray]:
        """Add the arrays of both."""
        self.brought[index] = arrays
        self.barrier.wait()
        found = [one + other for one, other in zip(*self.brought)]
        self.barrier.wait()
        return found


class Twin(Workers):
    """One of two workers."""

    def __init__(self, index: int, meeting: Meeting):
        tasks = {("worker", "0"): "first", ("worker", "1"): "second"}
        super().__init__(tf.distribute.get_strategy(), tasks, index)
        self.devices, self.own_devices, self.meeting = 2, 1, meeting

    def learn(self, learn, weights, batch, rows, size):
        """Add losses, hits and gradients over both, as the real ones do."""
        losses, hits, values, gradients = learn(weights, batch, rows, size)
        seen = (
            tf.scatter_nd(rows[:, None], tf.cast(e, tf.float32), [size]) for e in (losses, hits)
        )
        mine = [*seen, *(tf.cast(gradient, tf.float32) for gradient in gradients)]
        sums = tf.numpy_function(
            lambda *arrays: self.meeting.sum(self.index, *arrays), mine, [tf.float32] * len(mine)
        )
        for total, each in zip(sums, mine):
            total.set_shape(each.shape)
        losses, hits, *gradients = sums
        return losses, hits > 0, values, gradients

    def _sum(self, numbers):
        return self.meeting.sum(self.index, np.array(numbers, np.float32))[0]


def both(work: Callable[[Workers], Made], kind: type[Twin] = Twin) -> list[Made]:
    """Let each of two workers do `work` at the same time; return what they have made."""
    meeting = Meeting()

    def one(index: int) -> Made:
        try:
            return work(kind(index, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(one, range(2)))
