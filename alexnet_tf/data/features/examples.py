"""Batches for the network, of labelled pictures in a feature store."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.store import FeatureStore

# Values, labels and, where the values are of all windows, the windows' numbers.
Batch = tuple[tf.Tensor, ...]


class Examples:
    """The training examples of n labelled `pictures` in an open `store`. Example number i is
    picture i modulo n. i divided by n is the number of its view: first the windows of the picture
    one after the other (1 without a scale), then those of its mirror image."""

    def __init__(
        self, pictures: Sequence[Picture], store: FeatureStore, owners: np.ndarray, worker: int
    ):
        """Find in the store those `pictures` whose `owners`, int64 (n,), are `worker`."""
        self.store, self.owners = store, owners
        self._is_own = self.owners == worker
        self.slots = np.full(len(pictures), -1)
        own = [picture for picture, is_own in zip(pictures, self._is_own) if is_own]
        self.slots[self._is_own] = store.slots(own)
        self.labels = np.array([picture.label for picture in pictures], np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the positions in `numbers` of this worker's own examples."""
        return np.flatnonzero(self._is_own[numbers % len(self)])

    def sample(self, number: int) -> np.ndarray:
        """Choose at most `number` pictures, evenly spaced; return their numbers."""
        return np.arange(0, len(self), -(-len(self) // number))

    def batches(
        self,
        chunks: Sequence[np.ndarray],
        view: Callable[[np.ndarray, int], np.ndarray] | None = None,
        first: int = 0,
    ) -> Iterator[Batch]:
        """Read (values (n, …), labels int64 (n,)) for each of `chunks`, from number `first` on.

        A chunk holds example numbers; those of other workers are left out. The values are those in
        the store or, with a `view`, its result for them and the number of the chunk: float32
        pictures. They are prepared while the previous step runs. If the values contain all windows,
        the numbers of the requested windows, int64 (n,), come third.
        """
        store, variant = self.store, self.store.variant
        is_whole = bool(variant.scaled) and not store.has_windows

        def read() -> Iterator[Batch]:
            for chunk, numbers in enumerate(chunks[first:], first):
                views, indices = np.divmod(numbers[self.rows(numbers)], len(self))
                flips, windows = np.divmod(views, variant.windows)
                apart = windows if store.has_windows else None
                values = store.read(self.slots[indices], flips, apart)
                values = view(values, chunk) if view else values
                batch = values, self.labels[indices], *([windows] if is_whole else ())
                yield tuple(map(tf.convert_to_tensor, batch))

        return _read_ahead(read())


def _read_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield what `batches` do; one thread reads two ahead."""
    with ThreadPoolExecutor(1) as beside:
        pending = deque(beside.submit(next, batches, None) for _ in range(2))
        while batch := pending.popleft().result():
            pending.append(beside.submit(next, batches, None))
            yield batch
