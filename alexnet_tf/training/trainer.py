"""A trainer: its epochs, their metrics, its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial, reduce
from logging import Logger

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.examples import Batch, Examples
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.augment import Augmentation, color_components, random_layers
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.metrics.calibration import calibration_error, fit_temperature, mean_probabilities
from alexnet_tf.metrics.views import choose_views, evaluate_views
from alexnet_tf.runs.history import History
from alexnet_tf.system import signals
from alexnet_tf.system.progress import progress
from alexnet_tf.training.averages import Averages
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.epoch import DatasetMetrics, Epoch, compute_metrics, mean_result
from alexnet_tf.training.job import Job
from alexnet_tf.training.learner import Learner, never_empty
from alexnet_tf.training.schedules import learning_rate

# Examples in a batch of prediction.
CHUNK = 128
# Training pictures, evenly spaced, that the head's inputs are standardized by.
SAMPLE = 1024

# Uncalibrated logits (views, n, classes) of examples, and their labels (n,).
Logits = tuple[np.ndarray, np.ndarray]


class Trainer:
    """Trains a network on examples, epoch by epoch, and evaluates it; call `prepare` first.
    Training is complete after `most_epochs`, whatever --epochs is."""

    most_epochs = math.inf

    def __init__(
        self,
        job: Job,
        store: FeatureStore,
        seen: FeatureStore,
        log: Logger,
        workers: Workers | None = None,
    ):
        """Train on features in `store`, validate with those in `seen`."""
        self.job, self.settings, self.store, self.log = job, job.settings, store, log
        self.workers = workers or Workers.alone()
        self.training = self.examples(job.dataset.train, store)
        self.validation = self.examples(job.dataset.validation, seen)
        self.learner = Learner(job, store.layer, self.training.labels, self.workers)
        self.averages = Averages(self.learner.trained) if job.settings.ema else None
        self._begun = Epoch()
        # The divisor of the logits, set by `calibrate`.
        self.temperature = 1.0

    def examples(self, pictures: Sequence[Picture], store: FeatureStore) -> Examples:
        """Return the pictures as examples, which are divided among the workers."""
        return Examples(pictures, store, self.workers.owners(pictures), self.workers.index)

    def prepare(self) -> Trainer:
        """Fit the standardization and the colours' components; return the trainer itself."""
        self._standardize()
        self._view = self._prepare_view()
        return self

    def run_epoch(
        self, history: History, check: Callable[[], None] = signals.check
    ) -> dict[str, float]:
        """Train on each picture once, in random order, then validate; return the epoch after those
        in `history`, with the values of `runs.history.COLUMNS`.

        `predictions` are then the probabilities of the validation pictures, float32 (n, classes).
        `check` is called after each step and may raise: the next call, here or wherever `state` is
        restored, then resumes with the next step.
        """
        with self._begun.timed():
            self._steps(history, check)
            metrics = self.measure(self.validation, "validation", thorough=False)
        rate = float(self.learner.optimizer.learning_rate)
        return self.finish_epoch(history, mean_result(self._begun.results), metrics, rate)

    def finish_epoch(
        self, history: History, trained: tuple[float, float], validated: DatasetMetrics, rate: float
    ) -> dict[str, float]:
        """Return the epoch after those in `history`, with loss and accuracy as `trained`."""
        self.predictions = validated.probabilities
        seconds, self._begun = self._begun.seconds, Epoch()
        return {
            "epoch": len(history) + 1,
            "loss": trained[0],
            "accuracy": trained[1],
            "val_loss": validated.loss,
            "val_accuracy": validated.accuracy,
            "val_balanced_accuracy": validated.balanced_accuracy,
            "learning_rate": rate,
            "seconds": round(seconds, 3),
        }

    def _steps(self, history: History, check: Callable[[], None]) -> None:
        """Make the remaining steps of the epoch."""
        epoch, examples = len(history), len(self.training)
        random = np.random.default_rng([self.settings.seed, epoch])
        order = random.permutation(examples)
        views = self.store.flips * self.job.variant.windows
        order += examples * random.integers(0, views, examples)
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
            rows, size = self.training.rows(chunk), tf.constant(len(chunk), tf.int64)
            shared = (tf.constant(rows), size) if self.workers.devices > 1 else ()
            self._begun.add(self.learner.step(batch, *shared))
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

    def measure(self, examples: Examples, what: str, thorough: bool = True) -> DatasetMetrics:
        """Return the metrics of all `examples`, over all test-time views if `thorough`, or else
        over the corner windows without mirror images."""
        return self._metrics(examples, self._logits(examples, what, thorough))

    def _metrics(self, examples: Examples, found: Iterable[Logits]) -> DatasetMetrics:
        temperature = np.float32(self.temperature)
        scores = (evaluate_views(logits / temperature, labels) for logits, labels in found)
        own, rows = [np.concatenate(each) for each in zip(*scores)], np.arange(len(examples))
        losses, hits, probabilities = (self.gather(each, examples, rows) for each in own)
        return compute_metrics(losses, hits, probabilities, examples.labels)

    def calibrate(self) -> tuple[float, float, DatasetMetrics | None]:
        """Set the temperature with the lowest validation loss; return the calibration error before
        and after, and the calibrated metrics if all validation pictures were used."""
        found = [*self._logits(self.validation, "calibration", thorough=True, most=SAMPLE)]
        logits = np.concatenate([np.swapaxes(logits, 0, 1) for logits, _ in found])
        numbers = self.validation.sample(SAMPLE)
        logits = np.swapaxes(self.gather(logits, self.validation, numbers), 0, 1)
        labels = self.validation.labels[numbers]
        self.temperature = fit_temperature(logits, labels)
        before, after = (mean_probabilities(logits, each) for each in (1.0, self.temperature))
        errors = calibration_error(before, labels), calibration_error(after, labels)
        is_whole = len(numbers) == len(self.validation)
        return *errors, self._metrics(self.validation, found) if is_whole else None

    def _logits(
        self, examples: Examples, what: str, thorough: bool, most: int | None = None
    ) -> Iterator[Logits]:
        """Yield the logits (views, n, classes) and labels (n,) of this worker's `examples`, or of a
        sample of at most so many, in batches."""
        numbers = examples.sample(most) if most else np.arange(len(examples))
        numbers = numbers[examples.rows(numbers)]
        with self._averaged():
            found = self.outputs(examples, numbers, self.learner.logits, what, thorough)
            for chunk, logits in found:
                if logits.shape[2] > 1 and not thorough:
                    logits = logits[:, :, choose_views(self.job.variant, True, thorough)]
                yield np.concatenate(np.moveaxis(logits, 2, 1)), examples.labels[chunk]

    def outputs(
        self,
        examples: Examples,
        numbers: np.ndarray,
        compute: Callable[[tf.Tensor], tf.Tensor],
        what: str,
        thorough: bool = False,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the numbers of examples in batches, with the outputs (views, n, windows, values)
        that `compute` returns for their inputs, over the views as in `measure`. There are several
        windows if a row of the store contains all those of a picture."""
        variant, has_windows = self.job.variant, examples.store.has_windows
        views = choose_views(variant, has_windows, thorough)
        chunks = chunks_of(numbers, max(1, CHUNK // len(views)))
        seen = [np.concatenate([each + view * len(examples) for view in views]) for each in chunks]
        batches = self.plain_batches(examples, seen)
        for chunk, (values, *_) in zip(chunks, progress(batches, len(chunks), what)):
            windows = 1 if has_windows else variant.windows
            found = compute(never_empty(values)).numpy()[: len(views) * len(chunk) * windows]
            yield chunk, found.reshape(len(views), len(chunk), windows, found.shape[-1])

    def _averaged(self) -> AbstractContextManager[None]:
        """Return a context in which the variables have the values of the final network."""
        return self.averages.in_place() if self.averages else nullcontext()

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next step and the metrics of its epoch depend on, by name: weights,
        dropout seeds, momenta, averages, and the unfinished epoch."""
        state = {name: variable.numpy() for name, variable in self.learner.variables().items()}
        averages = self.averages.state() if self.averages else {}
        return state | averages | self._begun.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        for name, variable in self.learner.variables().items():
            variable.assign(state[name])
        if self.averages:
            self.averages.restore(state)
        self._begun = Epoch.restored(state)

    @property
    def steps_begun(self) -> int:
        """Steps of an unfinished epoch; 0 if there is none."""
        return self._begun.steps

    def network(self) -> keras.Model:
        """Return the whole calibrated network, in float32."""
        with self._averaged():
            return self.learner.network(self.temperature)

    def plain_batches(self, examples: Examples, chunks: Sequence[np.ndarray]) -> Iterator[Batch]:
        """Return batches (inputs of the lowest layer that is not frozen, labels) of the examples in
        each of `chunks`, without augmentation."""
        if examples.store.layer != "conv1":
            return examples.batches(chunks)
        cut = Augmentation(self.job.variant.picture_size)
        random = np.random.default_rng()  # unused

        def view(pictures: np.ndarray, number: int) -> np.ndarray:
            return preprocess_input(cut(pictures, random), self.job.variant)

        return examples.batches(chunks, view)

    def _standardize(self) -> None:
        """Standardize the head's inputs by those of some training pictures."""
        if not self.job.weights:
            return self.learner.standardize(None)
        sample, windows = self.training.sample(SAMPLE), self.job.variant.windows
        sample = sample + len(self.training) * (np.arange(len(sample)) % windows)
        entering = self.learner.entering_head
        batches = self.plain_batches(self.training, chunks_of(sample))
        inputs = [
            entering(*map(never_empty, (values, *numbers)))[: len(labels)].numpy()
            for values, labels, *numbers in batches
        ]
        self.learner.standardize(self.gather(np.concatenate(inputs), self.training, sample))

    def _prepare_view(self) -> Callable[..., np.ndarray] | None:
        """Return the augmentation of pictures: (epoch, batches, pictures, batch number) → inputs;
        None if the store has features, which do not change."""
        settings, variant = self.settings, self.job.variant
        if self.store.layer != "conv1":
            return None
        components = None
        if settings.color_shift:
            chunks = chunks_of(np.arange(len(self.training)))
            batches = progress(self.training.batches(chunks), len(chunks), "colours")
            components = color_components(
                (values.numpy() for values, *_ in batches),
                lambda sums: reduce(np.add, self.workers.exchange(sums)),
            )
        augment = Augmentation(
            variant.picture_size,
            random_layers(settings.rotate, settings.zoom, settings.brightness, settings.contrast),
            settings.crop,
            settings.mirror,
            settings.color_shift,
            components,
        )

        def view(
            epoch: int, chunks: Sequence[np.ndarray], pictures: np.ndarray, number: int
        ) -> np.ndarray:
            # From 1, because a seed that ends in 0 would be that of the order.
            random = np.random.default_rng([settings.seed, epoch, number + 1])
            chunk = chunks[number]
            views = augment(pictures, random, self.training.rows(chunk), len(chunk))
            return preprocess_input(views, variant)

        return view

    def gather(self, found: np.ndarray, examples: Examples, numbers: np.ndarray) -> np.ndarray:
        """Join what all workers have found for the examples of these numbers."""
        return self.workers.gather(found, examples.owners[numbers % len(examples)])


def chunks_of(numbers: np.ndarray, most: int = CHUNK) -> list[np.ndarray]:
    """Split the numbers, in order, into equal chunks of at most so many."""
    return np.array_split(numbers, max(1, -(-len(numbers) // most)))
