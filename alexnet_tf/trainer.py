"""The head on stored features: its steps, its epochs, its state."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf import stopping
from alexnet_tf.dataset import Row
from alexnet_tf.features import FeatureStore
from alexnet_tf.model import Head
from alexnet_tf.progress import progress
from alexnet_tf.run import Job
from alexnet_tf.variants import FC_LAYERS
from alexnet_tf.weights import Weights

MOMENTUM = 0.9  # Krizhevsky 2012, section 5
VALIDATION_BATCH = 256
# So many training pictures, spread over the list, tell how large pool5 is.
SAMPLE = 1024
# Losses (batch,) and hits (batch,) of one step; those of none.
Result = tuple[tf.Tensor, tf.Tensor] | tuple[np.ndarray, np.ndarray]
NOTHING = (np.empty(0, np.float32), np.empty(0, bool))


class HeadTrainer:
    """Trains fc6, fc7 and fc8 by stochastic gradient descent with momentum on the cross-entropy.

    pool5 is positive and reaches several hundred, on which a fresh head explodes or learns nothing.
    So the head sees it standardized: less the mean of each value, divided by the deviation of all,
    over training pictures. `weights` moves both into fc6.
    """

    def __init__(self, job: Job, store: FeatureStore):
        self.settings, self.store = job.settings, store
        self.training = _Examples(job.dataset.train, store)
        self.validation = _Examples(job.dataset.validation, store)
        self.head = Head(job.settings.variant, len(job.dataset.classes), job.settings.seed)
        self.logits = keras.Model(self.head.input, self.head.get_layer("fc8").output)
        self.optimizer = keras.optimizers.SGD(job.settings.learning_rate, momentum=MOMENTUM)
        self.optimizer.build(self.head.trainable_variables)
        sample = store.read(self._sample()).astype(np.float64)
        self.center = sample.mean(axis=0).astype(np.float32)
        self.scale = np.float32(1 / (np.sqrt(np.mean((sample - self.center) ** 2)) or 1.0))
        self._begun = _Begun()
        self._train_step = tf.function(self._train, jit_compile=True)
        self._validation_step = tf.function(self._validate, jit_compile=True)

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train on each view of each training picture once, in random order, then validate.

        `epoch` counts from 0. Returns loss and accuracy, means over the pictures as they were seen,
        of training and of validation, and the seconds that all this took. Asked to stop, it raises
        Stopped after a step; `state` is then that in the middle of the epoch, and the next call,
        here or wherever that state is restored, goes on with the step that follows.
        """
        with self._begun.timed():
            self._steps(epoch)
            val_loss, val_accuracy = self.validate()
        loss, accuracy = _means(self._begun.results)
        seconds, self._begun = self._begun.seconds, _Begun()
        return {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": round(seconds, 3),
        }

    def _steps(self, epoch: int) -> None:
        """Those steps of the epoch that have not been made yet."""
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(
            len(self.training.slots) * self.store.views
        )
        steps = -(-len(order) // self.settings.batch_size)
        batches = self.training.batches(np.array_split(order, steps)[self._begun.steps :])
        title = f"epoch {epoch + 1}/{self.settings.epochs}"
        for batch in progress(batches, steps, title, done=self._begun.steps):
            self._begun.add(self._train_step(*batch))
            stopping.check()

    def validate(self) -> tuple[float, float]:
        """Mean loss and accuracy over the validation pictures, unmirrored."""
        pictures = np.arange(len(self.validation.slots))
        steps = -(-len(pictures) // VALIDATION_BATCH)
        batches = self.validation.batches(np.array_split(pictures, steps))
        return _means(self._validation_step(*batch) for batch in batches)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next step and the row of its epoch depend on.

        Weights, dropout seeds, momenta; and of an epoch that has begun the steps and results so
        far.
        """
        state = {name: variable.numpy() for name, variable in self._variables().items()}
        return state | self._begun.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self._begun = _Begun.restored(state)

    def place(self, epoch: int) -> str:
        """Where it stands, `epoch` epochs being finished: the beginning of 'after … of 10'."""
        steps = self._begun.steps
        return f"after step {steps} in epoch {epoch + 1}" if steps else f"after epoch {epoch}"

    def weights(self) -> Weights:
        """fc6, fc7 and fc8 for pool5 as it is."""
        layers = [self.head.get_layer(name) for name in FC_LAYERS]
        weights = {layer.name: (layer.kernel.numpy(), layer.bias.numpy()) for layer in layers}
        kernel, bias = weights["fc6"]
        kernel *= self.scale
        return weights | {"fc6": (kernel, bias - self.center @ kernel)}

    def _sample(self) -> np.ndarray:
        slots = self.training.slots
        return slots[:: -(-len(slots) // SAMPLE)]

    def _variables(self) -> dict[str, keras.Variable]:
        layers = {
            f"{layer.name}/{variable.name}": variable
            for layer in self.head.layers
            for variable in layer.variables
        }
        optimizer = {
            f"optimizer/{variable.name}": variable for variable in self.optimizer.variables
        }
        return layers | optimizer

    def _train(self, pool5: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        variables = self.head.trainable_variables
        with tf.GradientTape() as tape:
            losses, hits = self._losses_and_hits(pool5, labels, training=True)
            loss = tf.reduce_mean(losses)
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return losses, hits

    def _validate(self, pool5: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._losses_and_hits(pool5, labels, training=False)

    def _losses_and_hits(self, pool5: tf.Tensor, labels: tf.Tensor, training: bool):
        """Cross-entropy (batch,) and whether the likeliest class is the right one (batch,)."""
        inputs = (tf.cast(pool5, tf.float32) - self.center) * self.scale
        inputs = tf.reshape(inputs, (-1, *self.head.input.shape[1:]))
        logits = self.logits(inputs, training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return losses, tf.argmax(logits, axis=1) == labels


class _Begun:
    """How far an epoch has come: `steps` done, in `seconds`, and their `results`.

    A result is the losses and the hits of some pictures, in the order in which they were seen.
    """

    def __init__(self, steps: int = 0, seconds: float = 0.0, result: Result = NOTHING):
        self.steps, self.seconds, self.results = steps, seconds, [result]

    @classmethod
    def restored(cls, state: dict[str, np.ndarray]) -> _Begun:
        """The one whose `state` this is; one of an older checkpoint was between epochs."""
        if "epoch/steps" not in state:
            return cls()
        result = state["epoch/losses"], state["epoch/hits"]
        return cls(int(state["epoch/steps"]), float(state["epoch/seconds"]), result)

    def state(self) -> dict[str, np.ndarray]:
        losses, hits = (np.concatenate(parts) for parts in zip(*self.results))
        return {
            "epoch/steps": np.array(self.steps),
            "epoch/seconds": np.array(self.seconds),
            "epoch/losses": losses,
            "epoch/hits": hits,
        }

    def add(self, result: Result) -> None:
        self.steps += 1
        self.results.append(result)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """A block whose seconds count, to its end or to where it is left."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - start


class _Examples:
    """Labelled pictures in a feature store. Example i is picture i modulo their number, in view
    i divided by their number."""

    def __init__(self, rows: Sequence[Row], store: FeatureStore):
        self.store = store
        self.slots = store.slots(rows)
        self.labels = np.array([row.label for row in rows], np.int64)

    def batches(self, chunks: Sequence[np.ndarray]) -> tf.data.Dataset:
        """(pool5 float16 (n, 9216), labels int64 (n,)) for each chunk of example numbers."""

        def read():
            for examples in chunks:
                views, pictures = np.divmod(examples, len(self.slots))
                yield self.store.read(self.slots[pictures], views), self.labels[pictures]

        signature = (
            tf.TensorSpec((None, self.store.shape[1]), tf.float16),
            tf.TensorSpec((None,), tf.int64),
        )
        return tf.data.Dataset.from_generator(read, output_signature=signature).prefetch(2)


def _means(steps: Iterable[Result]) -> tuple[float, float]:
    losses, hits = (np.concatenate(parts) for parts in zip(*steps))
    return float(np.mean(losses, dtype=np.float64)), float(np.mean(hits))
