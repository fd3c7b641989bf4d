"""A linear head: fc8 alone, solved for to the optimum, which is best for few pictures. Each epoch
solves for it with less regularization than the one before, and is cross-validated; the best epoch
has the best strength."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.examples import Examples
from alexnet_tf.metrics.views import evaluate_views
from alexnet_tf.runs.history import History
from alexnet_tf.system import signals
from alexnet_tf.system.processor import one_thread
from alexnet_tf.training.epoch import DatasetMetrics, Epoch, compute_metrics
from alexnet_tf.training.learner import balanced
from alexnet_tf.training.trainer import Trainer, chunks_of

# scikit-learn's C on inputs of mean square length 1, one for each epoch. Of 3 to 500 photos a class
# 30 and 100 are the best ones, of more of them and of wrong labels less: docs/accuracy.md.
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
# Principal directions that are kept; the rest changes no prediction.
DIRECTIONS = 1024
# Smallest mean square length along a direction that is more than rounding.
LEAST = 1e-18
# Logit of a class that is missing in a fold: unlikely, not impossible.
UNKNOWN = -3.0


@dataclass(frozen=True)
class Basis:
    """Coordinates in which a linear head is solved for.

    One half of the regularization is that of a head on means over all places, the other that of a
    head on every place: few pictures show which channels matter, only many show where.
    `coordinates` (n, directions) are those of n pictures, `kernel` (values, directions) converts a
    head's weights to those of fc8, `center` (values,) is the mean. All float64.
    """

    coordinates: np.ndarray
    kernel: np.ndarray
    center: np.ndarray

    @classmethod
    def fit(cls, inputs: np.ndarray, channels: int) -> Basis:
        """Fit it to inputs, float32 (n, places × channels)."""
        from scipy.linalg import eigh

        count, center = len(inputs), inputs.mean(axis=0, dtype=np.float64)
        places = (inputs - center).astype(np.float64)
        means = places.reshape(count, -1, channels).mean(axis=1)
        # Each half has the mean square length 1/2.
        scales = [np.sqrt(count / 2 / (np.sum(part**2) or 1)) for part in (places, means)]
        gram = scales[0] ** 2 * places @ places.T + scales[1] ** 2 * means @ means.T
        first = max(0, count - DIRECTIONS)
        squares, directions = eigh(gram, subset_by_index=(first, count - 1))
        kept = squares >= 1e-9 * squares[-1]
        # All pictures may be equal.
        lengths, directions = np.sqrt(np.maximum(squares[kept], LEAST)), directions[:, kept]
        shares = directions / lengths
        at_places = scales[0] ** 2 * places.T @ shares
        of_means = scales[1] ** 2 * means.T @ shares * channels / places.shape[1]
        kernel = at_places + np.tile(of_means, (places.shape[1] // channels, 1))
        return cls(directions * lengths, kernel, center)

    def logits(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return the logits (n, classes) of the pictures by weights (directions, classes)."""
        return self.coordinates @ weights + bias

    def layer(self, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Convert weights (directions, classes) and bias to kernel and bias of fc8, float32."""
        kernel = self.kernel @ weights
        return kernel.astype(np.float32), (bias - self.center @ kernel).astype(np.float32)


class LinearTrainer(Trainer):
    """A trainer that solves for a linear head once an epoch."""

    most_epochs = len(STRENGTHS)
    strength = 0.0

    def prepare(self) -> LinearTrainer:
        """Compute the basis; return the trainer itself, ready for its first epoch."""
        self.averages = None
        self.learner.standardize(None)
        inputs = np.concatenate([*self._inputs(self.training)])
        inputs = self.gather(inputs, self.training, np.arange(len(self.training)))
        with one_thread():
            self._basis = Basis.fit(inputs, self.job.variant.filters[-1])
        labels, self._weights = self.training.labels, None
        if self.settings.balance:
            self._weights = balanced(labels)[labels]
        return self

    def run_epoch(
        self, history: History, check: Callable[[], None] = signals.check
    ) -> dict[str, float]:
        """Solve for the head with the next strength, validate it, and return the epoch's history,
        with the learning rate 0."""
        check()
        with self._begun.timed():
            self.strength = STRENGTHS[len(history)]
            with one_thread():
                head = self._solved(np.arange(len(self.training)))
            self._set(*self._basis.layer(*head))
            found = self._measured(self._basis.logits(*head), self.training.labels)
            validated = self.measure(self.validation, "validation", thorough=False)
        return self.finish_epoch(history, (found.loss, found.accuracy), validated, rate=0.0)

    def measure(self, examples: Examples, what: str, thorough: bool = True) -> DatasetMetrics:
        """Return the metrics of `examples`; cross-validation examples are predicted out of fold,
        with the same strength."""
        if examples is not self.validation or not self.job.dataset.is_cross_validated:
            return super().measure(examples, what, thorough)
        labels = self.training.labels
        logits = np.zeros((len(labels), len(self.job.dataset.classes)))
        with one_thread():
            for others, part in folds(self.job.dataset.train, FOLDS, self.settings.seed):
                logits[part] = self._basis.logits(*self._solved(others))[part]
        return self._measured(logits, labels)

    def state(self) -> dict[str, np.ndarray]:
        """Return fc8 and the strength by name."""
        kernel, bias = self.learner.model.get_layer("fc8").get_weights()
        state = {"fc8/kernel": kernel, "fc8/bias": bias, "strength": np.array(self.strength)}
        return state | Epoch().state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self._set(state["fc8/kernel"], state["fc8/bias"])
        self.strength = float(state["strength"])

    def _set(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        self.learner.model.get_layer("fc8").set_weights([kernel, bias])

    def _inputs(self, examples: Examples) -> Iterator[np.ndarray]:
        """Yield the inputs of fc8, float32 (n, 9216), for this worker's examples: the means over
        all views of a picture."""
        store, variant = examples.store, self.job.variant
        slots = examples.slots[examples.rows(np.arange(len(examples)))]
        for chunk in chunks_of(slots):
            total = np.zeros((len(chunk), *self.learner.head.input.shape[1:]), np.float32)
            for view in range(variant.views):
                flip, number = divmod(view, variant.windows)
                windows = np.full(len(chunk), number) if store.has_windows else None
                seen = store.read(chunk, flip, windows).astype(np.float32)
                lengths = np.linalg.norm(seen, axis=1, keepdims=True)
                total += seen / np.maximum(lengths, np.finfo(np.float32).tiny)
            yield total / variant.views

    def _solved(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Solve for a head on these rows: weights (directions, classes) and bias."""
        from sklearn.linear_model import LogisticRegression

        labels, values = self.training.labels[rows], self._basis.coordinates[rows]
        weights = None if self._weights is None else self._weights[rows]
        head = LogisticRegression(C=self.strength, tol=1e-5, max_iter=1000)
        head.fit(values, labels, sample_weight=weights)
        kernel, bias = head.coef_.T, head.intercept_
        if len(head.classes_) == 2:  # scikit-learn returns only the second
            kernel, bias = np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2
        classes = len(self.job.dataset.classes)
        found = np.zeros((len(kernel), classes)), np.full(classes, UNKNOWN)
        found[0][:, head.classes_], found[1][head.classes_] = kernel, bias
        return found

    def _measured(self, logits: np.ndarray, labels: np.ndarray) -> DatasetMetrics:
        losses, hits, probabilities = evaluate_views(logits[None].astype(np.float32), labels)
        return compute_metrics(losses, hits, probabilities, labels)


def folds(pictures: Sequence[Picture], most: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return training and test rows of each of at most `most` stratified folds; copies of a picture
    share a fold."""
    from sklearn.model_selection import StratifiedKFold

    digests = [picture.digest for picture in pictures]
    _, first, copies = np.unique(digests, return_index=True, return_inverse=True)
    labels = np.array([picture.label for picture in pictures])[first]
    count = min(most, np.bincount(labels).max())
    split = StratifiedKFold(count, shuffle=True, random_state=seed).split(first, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer pictures than folds
        parts = [np.isin(copies, part) for _, part in split]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts]
