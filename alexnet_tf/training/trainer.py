"""A training: its epochs, what they are measured by, its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial, reduce
from logging import Logger
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.examples import Batch, Examples
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.augment import Augmentation, color_components
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.metrics.calibration import calibration_error, fit_temperature, mean_probabilities
from alexnet_tf.metrics.views import choose_views, evaluate_views
from alexnet_tf.system import signals
from alexnet_tf.system.progress import progress
from alexnet_tf.training.averages import Averages
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.epoch import Epoch, Metrics, compute_metrics, mean_result
from alexnet_tf.training.job import Job
from alexnet_tf.training.learner import Learner
from alexnet_tf.training.schedules import learning_rate

# Examples that are looked at together where nothing is learned from them.
CHUNK = 128
# So many training pictures, spread over the list, tell how large the inputs of the head are.
SAMPLE = 1024

# Logits (views, n, classes) for some examples, before calibration, and their labels (n,).
Seen = tuple[np.ndarray, np.ndarray]


class Trainer:
    """Trains a network on examples, epoch after epoch, and measures it; call `prepare` first."""

    def __init__(
        self,
        job: Job,
        store: FeatureStore,
        seen: FeatureStore,
        log: Logger,
        workers: Workers | None = None,
    ):
        """Take what is trained on from `store`, and what is validated with from `seen`."""
        self.job, self.settings, self.store, self.log = job, job.settings, store, log
        self.workers = workers or Workers.alone()
        self.training = self.examples(job.dataset.train, store)
        self.validation = self.examples(job.dataset.validation, seen)
        self.learner = Learner(job, store.layer, self.training.labels, self.workers)
        self.averages = Averages(self.learner.trained) if job.settings.ema else None
        self._begun = Epoch()
        # Whether each picture is validated with by what was taught without it.
        self.is_cross_validated = False
        # What `calibrate` found that logits have to be divided by.
        self.temperature = 1.0

    def examples(self, pictures: Sequence[Picture], store: FeatureStore) -> Examples:
        """Return the pictures as examples, of which a worker has its own."""
        return Examples(pictures, store, self.workers.owners(pictures), self.workers.index)

    def prepare(self) -> Trainer:
        """Look at the training pictures, how large the head's inputs are and how their colours
        vary; return the trainer itself, ready for its first step."""
        self._standardize()
        self._view = self._prepare_view()
        return self

    def run_epoch(
        self, history: Sequence[dict[str, float]], check: Callable[[], None] = signals.check
    ) -> dict[str, float]:
        """Train on each picture once, in random order, then validate; return the epoch, which
        follows those in `history`.

        It has the values of `runs.history.COLUMNS`: means over the pictures as they were seen, the
        last learning rate, and the seconds that all this took. `answers` are then the probabilities
        for the validation pictures, float32 (n, classes). After each step it lets `check`
        raise whatever should end it: `state` is then that in the middle of the epoch, and the next
        call, here or wherever that state is restored, goes on with the step that follows.
        """
        with self._begun.timed():
            self._steps(history, check)
            metrics = self.measure(self.validation, "validation", thorough=False)
        self.predictions = metrics.probabilities
        loss, accuracy = mean_result(self._begun.results)
        seconds, self._begun = self._begun.seconds, Epoch()
        return {
            "epoch": len(history) + 1,
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": metrics.loss,
            "val_accuracy": metrics.accuracy,
            "val_balanced_accuracy": metrics.balanced_accuracy,
            "learning_rate": float(self.learner.optimizer.learning_rate),
            "seconds": round(seconds, 3),
        }

    def _steps(self, history: Sequence[dict[str, float]], check: Callable[[], None]) -> None:
        """Make those steps of the epoch that have not been made yet."""
        epoch, examples = len(history), len(self.training)
        random = np.random.default_rng([self.settings.seed, epoch])
        order = random.permutation(examples)
        order += examples * random.integers(
            0, self.store.flips * self.job.variant.windows, examples
        )
        steps = -(-examples // self.settings.batch_size)
        chunks, done = np.array_split(order, steps), self._begun.steps
        view = partial(self._view, epoch, chunks) if self._view else None
        batches = zip(chunks[done:], self.training.batches(chunks, view, done))
        accuracies = [finished["val_accuracy"] for finished in history]
        title = f"epoch {epoch + 1}/{self.settings.epochs}"
        for chunk, batch in progress(batches, steps, title, done=done):
            seen = epoch * examples + self._begun.steps * examples // steps
            rate = learning_rate(self.settings, accuracies, seen, examples)
            self.learner.optimizer.learning_rate.assign(rate)
            self._begun.add(self.learner.step(batch, *self._shared(chunk)))
            if self.averages:
                made = epoch * steps + self._begun.steps
                self.averages.add(made, self.settings.ema * steps)
            every = self.settings.log_every
            if every and self._begun.steps % every == 0:
                pictures = sum(map(len, chunks[self._begun.steps - every : self._begun.steps]))
                loss, accuracy = mean_result(self._begun.results[-every:], pictures)
                self.log.info(
                    f"{title}  step {self._begun.steps}/{steps}  loss {loss:.4f}  "
                    f"accuracy {accuracy:.4f}"
                )
            check()

    def measure(self, examples: Examples, what: str, thorough: bool = True) -> Metrics:
        """Return how good the network is at all `examples`, as prediction sees them.

        If not `thorough`, of all windows it sees those in the corners, and no mirror image.
        """
        return self._scored(examples, self._seen(examples, what, thorough))

    def _scored(self, examples: Examples, seen: Iterable[Seen]) -> Metrics:
        temperature = np.float32(self.temperature)
        scores = (evaluate_views(logits / temperature, labels) for logits, labels in seen)
        own, rows = [np.concatenate(each) for each in zip(*scores)], np.arange(len(examples))
        return compute_metrics(
            [[self._gather(each, examples, rows) for each in own]], examples.labels
        )

    def calibrate(self) -> tuple[float, float, Metrics | None]:
        """Set the temperature at which validation pictures have the lowest loss; return their
        calibration error before and after; and the metrics then, if all pictures were seen."""
        seen = [*self._seen(self.validation, "calibration", thorough=True, most=SAMPLE)]
        logits = np.concatenate([np.swapaxes(logits, 0, 1) for logits, _ in seen])
        numbers = self.validation.sample(SAMPLE)
        logits = np.swapaxes(self._gather(logits, self.validation, numbers), 0, 1)
        labels = self.validation.labels[numbers]
        self.temperature = fit_temperature(logits, labels)
        before, after = (mean_probabilities(logits, each) for each in (1.0, self.temperature))
        errors = calibration_error(before, labels), calibration_error(after, labels)
        is_whole = len(numbers) == len(self.validation)
        return *errors, self._scored(self.validation, seen) if is_whole else None

    def _seen(
        self, examples: Examples, what: str, thorough: bool, most: int | None = None
    ) -> Iterator[Seen]:
        """Yield logits (looks, n, classes) and labels (n,) of all `examples`, n after n; or of a
        sample of at most so many; of those that are this worker's own."""
        views = choose_views(self.job.variant, examples.store.has_windows, thorough)
        classes = len(self.job.dataset.classes)
        numbers = examples.sample(most) if most else np.arange(len(examples))
        numbers = numbers[examples.rows(numbers)]
        chunks = _chunks(numbers, max(1, CHUNK // len(views)))
        batches = self.plain_batches(
            examples,
            [np.concatenate([chunk + look * len(examples) for look in views]) for chunk in chunks],
        )
        with self._averaged():
            # Of a picture's windows, if all come of one row, one follows the other.
            windows = 1 if examples.store.has_windows else self.job.variant.windows
            for chunk, batch in zip(chunks, progress(batches, len(chunks), what)):
                logits = self.learner.logits(batch[0]).numpy()
                logits = logits.reshape(len(views), len(chunk), windows, classes)
                logits = np.moveaxis(logits, 2, 1)
                if windows > 1 and not thorough:
                    logits = logits[:, choose_views(self.job.variant, True, thorough)]
                yield np.concatenate(logits), examples.labels[chunk]

    def _averaged(self) -> Any:
        """Return a context in which the variables have the values of the network that is kept."""
        return self.averages.in_place() if self.averages else nullcontext()

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that the next step and the figures of its epoch depend on, by name.

        Weights, dropout seeds, momenta; and of an epoch that has begun the steps and results so
        far.
        """
        state = {name: variable.numpy() for name, variable in self.learner.variables().items()}
        averages = self.averages.state() if self.averages else {}
        return state | averages | self._begun.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to what `state` returned."""
        for name, variable in self.learner.variables().items():
            variable.assign(state[name])
        if self.averages:
            self.averages.restore(state)
        self._begun = Epoch.restored(state)

    def is_complete(self, epochs: int) -> bool:
        """Tell whether no epoch is left after so many, however many were asked for."""
        return False

    @property
    def has_begun(self) -> bool:
        """Whether it stands within an epoch, not between two."""
        return self._begun.steps > 0

    def place(self, epoch: int) -> str:
        """Say where it stands, `epoch` epochs being finished: the beginning of 'after … of 10'."""
        steps = self._begun.steps
        return f"after step {steps} in epoch {epoch + 1}" if steps else f"after epoch {epoch}"

    def network(self) -> keras.Model:
        """Return the whole network as it predicts, in float32, with nothing standardized."""
        with self._averaged():
            return self.learner.network(self.temperature)

    def plain_batches(self, examples: Examples, chunks: Sequence[np.ndarray]) -> Iterator[Batch]:
        """Return batches of those examples, a batch for each of `chunks`, as prediction sees them.

        They are (inputs of the lowest layer that is not frozen, labels).
        """
        if examples.store.layer != "conv1":
            return examples.batches(chunks)
        cut = Augmentation(self.job.variant.picture_size)
        random = np.random.default_rng()  # which has nothing to decide

        def view(pictures: np.ndarray, number: int) -> np.ndarray:
            return preprocess_input(cut(pictures, random), self.job.variant)

        return examples.batches(chunks, view)

    def _standardize(self) -> None:
        """Let the learner see what enters the head of some training pictures."""
        if not self.job.weights:
            return self.learner.standardize(None)
        sample, windows = self.training.sample(SAMPLE), self.job.variant.windows
        sample = sample + len(self.training) * (np.arange(len(sample)) % windows)
        batches = self.plain_batches(self.training, _chunks(sample))
        inputs = np.concatenate(
            [
                self.learner.entering_head(values, *windows).numpy()
                for values, _, *windows in batches
            ]
        )
        self.learner.standardize(self._gather(inputs, self.training, sample))

    def _prepare_view(self) -> Callable[..., np.ndarray] | None:
        """Return what makes inputs of (epoch, its batches, pictures, number of their batch) for
        training; None where the store has features, which stay as they are."""
        settings, variant = self.settings, self.job.variant
        if self.store.layer != "conv1":
            return None
        components = None
        if settings.color_shift:
            chunks = _chunks(np.arange(len(self.training)))
            batches = progress(self.training.batches(chunks), len(chunks), "colours")
            components = color_components(
                (values.numpy() for values, *_ in batches),
                lambda sums: reduce(np.add, self.workers.exchange(sums)),
            )
        augment = Augmentation(
            variant.picture_size, settings.crop, settings.mirror, settings.color_shift, components
        )

        def view(
            epoch: int, chunks: Sequence[np.ndarray], pictures: np.ndarray, number: int
        ) -> np.ndarray:
            # Not from 0: a seed with a 0 behind it is the same, and that is the order's.
            random = np.random.default_rng([settings.seed, epoch, number + 1])
            chunk = chunks[number]
            views = augment(pictures, random, self.training.rows(chunk), len(chunk))
            return preprocess_input(views, variant)

        return view

    def _shared(self, chunk: np.ndarray) -> tuple[tf.Tensor, ...]:
        """Return which examples of a batch are this worker's own, and how many all are; nothing
        where there is one device."""
        if self.workers.devices == 1:
            return ()
        return tf.constant(self.training.rows(chunk)), tf.constant(len(chunk), tf.int64)

    def _gather(self, found: np.ndarray, examples: Examples, numbers: np.ndarray) -> np.ndarray:
        """Return what all workers have found of the examples of these numbers."""
        return self.workers.gather(found, examples.owners[numbers % len(examples)])


def _chunks(numbers: np.ndarray, most: int = CHUNK) -> list[np.ndarray]:
    """Split the numbers, in order, into equal parts of so many at most."""
    return np.array_split(numbers, max(1, -(-len(numbers) // most)))
