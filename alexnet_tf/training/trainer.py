"""Layers of an AlexNet in training: their steps, their epochs, their state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from logging import Logger

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.augment import Augmentation, color_components
from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.examples import Examples
from alexnet_tf.data.features import FeatureStore
from alexnet_tf.data.images import preprocess_input
from alexnet_tf.model import AlexNet, part, place_of, read_layers
from alexnet_tf.runs.calibration import (
    calibration_error,
    fit_temperature,
    mean_probabilities,
)
from alexnet_tf.runs.settings import HEAD_RATE, Settings
from alexnet_tf.system import signals
from alexnet_tf.system.progress import progress
from alexnet_tf.training.averages import Averages
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.epoch import Epoch, Measured, Result, means, measured
from alexnet_tf.training.job import Job
from alexnet_tf.training.looks import judged, looks
from alexnet_tf.training.schedules import learning_rate
from alexnet_tf.training.standardize import Standardization

MOMENTUM = 0.9  # Krizhevsky 2012, section 5
# Examples that are looked at together where nothing is learned from them.
CHUNK = 128
# Of what enters a lone fc8. With 1 the loss jumps about at the usual rate: docs/accuracy.md.
DEVIATION = 0.25
# So many training pictures, spread over the list, tell how large the inputs of the head are.
SAMPLE = 1024


class Trainer:
    """Trains layers by stochastic gradient descent with momentum on the cross-entropy.

    Above pretrained layers the head sees its inputs standardized; `network` moves that into its
    first layer. From scratch, they are left as they are. The head begins at fc6, or at the lowest
    layer that is trained where that is above. Call `prepare` before anything else.
    """

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
        # Mirror images are other examples here, not rows of the same batch.
        self.variant = replace(job.variant, mirrored=False)
        self.model = AlexNet(
            self.variant,
            len(job.dataset.classes),
            job.weights,
            precision=job.settings.precision,
            seed=job.settings.seed,
        )
        self.layers = _layers(self.model, job.settings)
        first = job.settings.first_of_head()
        self.below = None if store.layer == first else part(self.model, store.layer, first)
        self.head = part(self.model, first, "prob")
        self.variables = [v for layer in self.layers for v in layer.trainable_variables]
        # The seeds of dropout, and layers that stay as they are above others that do not.
        self.others = [v for layer in self.layers for v in layer.non_trainable_variables]
        self.averages = Averages(self.variables) if job.settings.ema else None
        self.rates = _rates(job, self.layers)
        self.optimizer = self._optimizer()
        self.class_weights = None
        if job.settings.balance:
            self.class_weights = tf.constant(balanced(self.training.labels), tf.float32)
        self._begun = Epoch()
        # What `calibrate` found that logits have to be divided by.
        self.temperature = 1.0
        # On a CPU oneDNN's layers are faster than XLA's, but not an update in many small steps.
        self._train_step = tf.function(self._step, reduce_retracing=self.workers.devices > 1)
        self._logits = tf.function(self._logits_of_all)
        self._update = tf.function(self._apply, jit_compile=True)

    def examples(self, pictures: Sequence[Picture], store: FeatureStore) -> Examples:
        """Return the pictures as examples, of which a worker has its own."""
        return Examples(pictures, store, self.workers.owners(pictures), self.workers.index)

    def prepare(self) -> Trainer:
        """Look at the training pictures, how large the head's inputs are and how their colours
        vary; return the trainer itself, ready for its first step."""
        self.standardization = self._standardize()
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
            measured = self.measure(self.validation, "validation", thorough=False)
        self.answers = measured.probabilities
        loss, accuracy = means(self._begun.results)
        seconds, self._begun = self._begun.seconds, Epoch()
        return {
            "epoch": len(history) + 1,
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": measured.loss,
            "val_accuracy": measured.accuracy,
            "val_balanced_accuracy": measured.balanced_accuracy,
            "learning_rate": float(self.optimizer.learning_rate),
            "seconds": round(seconds, 3),
        }

    def _steps(self, history: Sequence[dict[str, float]], check: Callable[[], None]) -> None:
        """Make those steps of the epoch that have not been made yet."""
        epoch, examples = len(history), len(self.training)
        random = np.random.default_rng([self.settings.seed, epoch])
        order = random.permutation(examples)
        order += examples * random.integers(0, self.store.views * self.variant.windows, examples)
        steps = -(-examples // self.settings.batch_size)
        chunks, done = np.array_split(order, steps), self._begun.steps
        view = partial(self._view, epoch, chunks) if self._view else None
        batches = zip(chunks[done:], self.training.batches(chunks, view, done))
        accuracies = [finished["val_accuracy"] for finished in history]
        title = f"epoch {epoch + 1}/{self.settings.epochs}"
        for chunk, batch in progress(batches, steps, title, done=done):
            seen = epoch * examples + self._begun.steps * examples // steps
            rate = learning_rate(self.settings, accuracies, seen, examples)
            self.optimizer.learning_rate.assign(rate)
            self._begun.add(self._train_step(batch, *self._shared(chunk)))
            if self.averages:
                made = epoch * steps + self._begun.steps
                self.averages.add(made, self.settings.ema * steps)
            every = self.settings.log_every
            if every and self._begun.steps % every == 0:
                loss, accuracy = means(self._begun.results[-every:])
                self.log.info(
                    f"{title}  step {self._begun.steps}/{steps}  loss {loss:.4f}  "
                    f"accuracy {accuracy:.4f}"
                )
            check()

    def measure(self, examples: Examples, what: str, thorough: bool = True) -> Measured:
        """Return how good the network is at all `examples`, as prediction sees them.

        If not `thorough`, of all windows it sees those in the corners, and no mirror image.
        """
        seen = self._seen(examples, what, thorough)
        found = [np.concatenate(each) for each in zip(*(judged(*each) for each in seen))]
        found = [self._merged(each, examples, np.arange(len(examples))) for each in found]
        return measured([found], examples.labels)

    def calibrate(self) -> tuple[float, float]:
        """Set the temperature at which validation pictures have the lowest loss; return their
        calibration error before and after."""
        seen = self._seen(self.validation, "calibration", thorough=True, most=SAMPLE)
        logits = np.concatenate([np.swapaxes(logits, 0, 1) for logits, _ in seen])
        numbers = self.validation.sample(SAMPLE)
        logits = np.swapaxes(self._merged(logits, self.validation, numbers), 0, 1)
        labels = self.validation.labels[numbers]
        self.temperature = fit_temperature(logits, labels)
        before, after = (mean_probabilities(logits, each) for each in (1.0, self.temperature))
        return calibration_error(before, labels), calibration_error(after, labels)

    def _seen(
        self, examples: Examples, what: str, thorough: bool, most: int | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield logits (looks, n, classes) and labels (n,) of all `examples`, n after n; or of a
        sample of at most so many; of those that are this worker's own."""
        views = looks(self.job.variant, examples.store.has_windows, thorough)
        classes = len(self.job.dataset.classes)
        numbers = examples.sample(most) if most else np.arange(len(examples))
        numbers = numbers[examples.rows(numbers)]
        chunks = _chunks(numbers, max(1, CHUNK // len(views)))
        batches = self.plain_batches(
            examples,
            [np.concatenate([chunk + look * len(examples) for look in views]) for chunk in chunks],
        )
        with self._averaged():
            for chunk, batch in zip(chunks, progress(batches, len(chunks), what)):
                logits = self._logits(batch[0]).numpy() / np.float32(self.temperature)
                # Of a picture's windows, if several came of one row, one follows the other.
                windows = max(1, len(logits) // max(1, len(batch[1])))
                logits = logits.reshape(len(views), len(chunk), windows, classes)
                logits = np.moveaxis(logits, 2, 1)
                logits = logits.reshape(len(views) * windows, len(chunk), classes)
                yield logits, examples.labels[chunk]

    def _averaged(self):
        """Return a context in which the variables have the values of the network that is kept."""
        return self.averages.in_place() if self.averages else nullcontext()

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that the next step and the figures of its epoch depend on, by name.

        Weights, dropout seeds, momenta; and of an epoch that has begun the steps and results so
        far.
        """
        state = {name: variable.numpy() for name, variable in self._all_variables().items()}
        averages = self.averages.state() if self.averages else {}
        return state | averages | self._begun.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to what `state` returned."""
        for name, variable in self._all_variables().items():
            variable.assign(state[name])
        if self.averages:
            self.averages.restore(state)
        self._begun = Epoch.restored(state)

    def place(self, epoch: int) -> str:
        """Say where it stands, `epoch` epochs being finished: the beginning of 'after … of 10'."""
        steps = self._begun.steps
        return f"after step {steps} in epoch {epoch + 1}" if steps else f"after epoch {epoch}"

    def network(self) -> keras.Model:
        """Return the whole network as it predicts, in float32, with nothing standardized."""
        first = self.settings.first_of_head()
        with self._averaged():
            weights = read_layers(self.model)
            weights[first] = self.standardization.folded_into(*weights[first])
            weights["fc8"] = tuple(each / np.float32(self.temperature) for each in weights["fc8"])
            network = AlexNet(self.job.variant, self.head.output.shape[-1], weights)
            for layer in self.model.layers:
                if isinstance(layer, keras.layers.PReLU):
                    network.get_layer(layer.name).set_weights(layer.get_weights())
        return network

    def plain_batches(self, examples: Examples, chunks: Sequence[np.ndarray]) -> tf.data.Dataset:
        """Return batches of those examples, a batch for each of `chunks`, as prediction sees them.

        They are (inputs of the lowest layer that is not frozen, labels).
        """
        if examples.store.layer != "conv1":
            return examples.batches(chunks)
        cut = Augmentation(self.variant.picture_size)
        random = np.random.default_rng()  # which has nothing to decide

        def view(pictures: np.ndarray, number: int) -> np.ndarray:
            return preprocess_input(cut(pictures, random), self.variant)

        return examples.batches(chunks, view)

    def _optimizer(self) -> keras.optimizers.Optimizer:
        """Make the optimizer; only kernels decay, as in Caffe's bvlc_alexnet (decay_mult)."""
        settings = self.settings
        decay = settings.weight_decay if settings.decoupled else None
        optimizer = keras.optimizers.SGD(settings.learning_rate, MOMENTUM, weight_decay=decay)
        optimizer.exclude_from_weight_decay([v for v in self.variables if v.name != "kernel"])
        optimizer.build(self.variables)
        return optimizer

    def _standardize(self) -> Standardization:
        """Return what the head sees its inputs through; a first layer that the weights came with
        is made to compute the same from that."""
        if not self.job.weights:
            return Standardization.none(self.head.input.shape[1])
        sample, windows = self.training.sample(SAMPLE), self.variant.windows
        sample = sample + len(self.training) * (np.arange(len(sample)) % windows)
        batches = self.plain_batches(self.training, _chunks(sample))
        inputs = np.concatenate(
            [self._entering_head(values, *windows).numpy() for values, _, *windows in batches]
        )
        inputs = self._merged(inputs, self.training, sample)
        first = self.settings.first_of_head()
        standardization = Standardization.fit(inputs, DEVIATION if first == "fc8" else 1.0)
        if first in self.job.weights:
            layer = self.model.get_layer(first)
            layer.set_weights(standardization.taken_out_of(*layer.get_weights()))
        return standardization

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
                lambda sums: sum(self.workers.exchange(sums)),
            )
        augment = Augmentation(
            variant.picture_size, settings.crop, settings.mirror, settings.color_shift, components
        )

        def view(
            epoch: int, chunks: Sequence[np.ndarray], pictures: np.ndarray, number: int
        ) -> np.ndarray:
            random, chunk = np.random.default_rng([settings.seed, epoch, number]), chunks[number]
            views = augment(pictures, random, self.training.rows(chunk), len(chunk))
            return preprocess_input(views, variant)

        return view

    def _all_variables(self) -> dict[str, keras.Variable]:
        """Return what a checkpoint holds, under the names it has there."""
        layers = {
            f"{layer.name}/{variable.name}": variable
            for layer in self.layers
            for variable in layer.variables
        }
        optimizer = {
            f"optimizer/{variable.name}": variable for variable in self.optimizer.variables
        }
        return layers | optimizer

    def _shared(self, chunk: np.ndarray) -> tuple[tf.Tensor, ...]:
        """Return which examples of a batch are this worker's own, and how many all are; nothing
        where there is one device."""
        if self.workers.devices == 1:
            return ()
        return tf.constant(self.training.rows(chunk)), tf.constant(len(chunk), tf.int64)

    def _merged(self, found: np.ndarray, examples: Examples, numbers: np.ndarray) -> np.ndarray:
        """Return what all workers have found of the examples of these numbers."""
        return self.workers.merged(found, examples.owners[numbers % len(examples)])

    def _step(self, batch: Sequence[tf.Tensor], *shared: tf.Tensor) -> Result:
        """Change the weights by what a batch teaches; return its losses and hits before that.

        A batch that is `shared` is that of all workers: see `_shared`.
        """
        # The gradients of weights already cast to what their layers compute in are never written in
        # float32, which takes a tenth of the time of a step and 200 MB.
        weights = [
            tf.cast(variable, layer.compute_dtype)
            for layer in self.layers
            for variable in layer.trainable_variables
        ]
        if shared:
            found = self.workers.learn(self._learn, weights, batch, *shared)
        else:
            found = self._learn(weights, batch)
        losses, hits, values, gradients = found
        for variable, value in zip(self.others, values):
            if value is not None:
                variable.assign(value)
        self._update(gradients)
        return losses, hits

    def _learn(
        self, weights: Sequence[tf.Tensor], batch: Sequence[tf.Tensor], *shared: tf.Tensor
    ) -> tuple:
        """Return losses and hits of examples, new values of `others`, and the gradients.

        Examples that are `shared` are some of a batch, whose mean loss their part is of.
        """
        values, labels, *windows = batch
        with tf.GradientTape() as tape, keras.StatelessScope() as scope:
            for variable, weight in zip(self.variables, weights):
                tape.watch(weight)
                scope.add_update((variable, weight))
            inputs = self.standardization.apply(self._entering_head(values, *windows))
            logits = self._dropping(inputs, *shared) if shared else self.head(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            hits = tf.argmax(logits, axis=1) == labels
            weighted = losses
            if self.class_weights is not None:
                weighted = losses * tf.gather(self.class_weights, labels)
            if shared:
                loss = tf.reduce_sum(weighted) / tf.cast(shared[-1], tf.float32)
            else:
                loss = tf.reduce_mean(weighted)
        states = [scope.get_current_value(variable) for variable in self.others]
        return losses, hits, states, tape.gradient(loss, weights)

    def _dropping(self, values: tf.Tensor, rows: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the logits of examples in training, which are the `rows` of a batch of `size`.

        Dropout is drawn for the whole batch, so that it does not depend on who has which of it.
        """
        for layer in self.head.layers[1:]:
            if isinstance(layer, keras.layers.Dropout):
                values = tf.cast(values, layer.compute_dtype)
                ones = tf.ones((size, values.shape[1]), values.dtype)
                kept = keras.random.dropout(ones, layer.rate, seed=layer.seed_generator)
                values *= tf.gather(kept, rows)
            else:
                values = layer(values)
        return values

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        """Let the optimizer make a step, of clipped gradients, with weight decay through the
        momentum, where asked."""
        gradients = [tf.cast(gradient, tf.float32) for gradient in gradients]
        if self.settings.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip)
        decay = self.settings.weight_decay
        if decay and not self.settings.decoupled:
            gradients = [
                gradient + decay * variable if variable.name == "kernel" else gradient
                for gradient, variable in zip(gradients, self.variables)
            ]
        # With a constant momentum that is another learning rate.
        gradients = [
            gradient if rate == 1 else rate * gradient
            for gradient, rate in zip(gradients, self.rates)
        ]
        self.optimizer.apply(gradients, self.variables)

    def _logits_of_all(self, values: tf.Tensor) -> tf.Tensor:
        """Return the logits of a batch, of each picture's windows one after the other."""
        return self.head(self.standardization.apply(self._entering_head(values)), training=False)

    def _entering_head(self, values: tf.Tensor, windows: tf.Tensor | None = None) -> tf.Tensor:
        """Return what enters the head, float32 (batch, 9216) for fc6.

        Of values that all windows are in, that is of the one in `windows`, a number for each
        picture, or without these of all: (batch × windows, 9216).
        """
        count = tf.shape(values, tf.int64)[0]
        if self.below:
            values = tf.cast(values, self.below.input.dtype)
            values = self.below(values, training=False)  # a dropout here is between frozen layers
        if windows is not None:
            values = tf.gather(values, tf.range(count) * self.variant.windows + windows)
        return tf.cast(values, tf.float32)


def balanced(labels: np.ndarray) -> np.ndarray:
    """Return a weight for each class: pictures / (classes × pictures of the class), float64.

    These are the "balanced" ones of scikit-learn; over all pictures their mean is 1.
    """
    counts = np.bincount(labels)
    return len(labels) / (len(counts) * counts)


def _chunks(numbers: np.ndarray, most: int = CHUNK) -> list[np.ndarray]:
    """Split the numbers, in order, into equal parts of so many at most."""
    return np.array_split(numbers, max(1, -(-len(numbers) // most)))


def _layers(model: keras.Model, settings: Settings) -> list[keras.layers.Layer]:
    """Return the layers that training changes or depends on, in order.

    Those below the trained ones are set not to be trained; of them the head's go along for their
    dropout.
    """
    for layer in model.layers[: place_of(model, settings.first_trained())]:
        layer.trainable = False
    return model.layers[place_of(model, settings.first_kept()) :]


def _rates(job: Job, layers: Sequence[keras.layers.Layer]) -> list[float]:
    """Return what the learning rate is multiplied by, for each trainable variable of `layers`.

    That is 1 but for layers below fc8 that the weights came with, where fc6 or fc7 is one of them.
    """
    rate = job.settings.head_rate or (1.0 if "fc8" in job.weights else HEAD_RATE)
    given = {layer.name for layer in layers if layer.trainable} & set(job.weights) - {"fc8"}
    if not given & {"fc6", "fc7"}:
        given = set()
    return [
        rate if layer.name in given else 1.0 for layer in layers for _ in layer.trainable_variables
    ]
