"""The trained layers of an AlexNet: their inputs, variables, and one step."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.model import AlexNet, part, place_of, read_layers
from alexnet_tf.runs.settings import HEAD_RATE
from alexnet_tf.system.processor import trained_precision
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.epoch import Result
from alexnet_tf.training.job import Job
from alexnet_tf.training.standardize import Standardization

MOMENTUM = 0.9  # Krizhevsky 2012, section 5
# Deviation of the inputs of fc8 alone; with 1 the loss is unstable: docs/accuracy.md.
DEVIATION = 0.25


class Learner:
    """Stochastic gradient descent with momentum on the cross-entropy: `step` trains on a batch,
    `logits` predicts one.

    Above pretrained layers the head's inputs are standardized, which `network` folds into its first
    layer. The head begins at fc6, or at the lowest trained layer above. Call `standardize` first.
    """

    def __init__(self, job: Job, layer: str, labels: np.ndarray, workers: Workers):
        """Build the network of a job, for examples with these labels: inputs of `layer`."""
        self.job, self.settings, self.workers = job, job.settings, workers
        self.model = AlexNet(
            # Mirror images are separate examples here.
            replace(job.variant, mirrored=False),
            len(job.dataset.classes),
            job.weights,
            precision=trained_precision(job.settings.precision),
            seed=job.settings.seed,
        )
        for below in self.model.layers[: place_of(self.model, job.settings.first_trained())]:
            below.trainable = False
        # Those that are trained, and frozen ones of the head because of their dropout.
        self.layers = self.model.layers[place_of(self.model, job.settings.first_kept()) :]
        first = job.settings.first_of_head()
        self.below = None if layer == first else part(self.model, layer, first)
        self.head = part(self.model, first, "prob")
        self.trained = [v for layer in self.layers for v in layer.trainable_variables]
        # Seeds of dropout, and frozen layers above trained ones.
        self.others = [v for layer in self.layers for v in layer.non_trainable_variables]
        self.rates = _rates(job, self.layers)
        # Without decay, because it has one rate for all layers.
        self.optimizer = keras.optimizers.SGD(job.settings.learning_rate, MOMENTUM)
        self.optimizer.build(self.trained)
        self.class_weights = None
        if job.settings.balance:
            self.class_weights = tf.constant(balanced(labels), tf.float32)
        # On a CPU oneDNN's layers are faster than XLA's, but not an update in many small steps.
        self.step = tf.function(self._step, reduce_retracing=workers.devices > 1)
        self.logits = tf.function(self._logits)
        self._update = tf.function(self._apply, jit_compile=True)

    def standardize(self, inputs: np.ndarray | None) -> None:
        """Standardize the head's inputs by these, float32 (examples, values), or not at all for
        None. A pretrained first layer is adapted, so that its outputs stay the same."""
        if inputs is None:
            self.standardization = Standardization.none(self.head.input.shape[1])
            return
        first = self.settings.first_of_head()
        self.standardization = Standardization.fit(inputs, DEVIATION if first == "fc8" else 1.0)
        if first in self.job.weights:
            layer = self.model.get_layer(first)
            layer.set_weights(self.standardization.taken_out_of(*layer.get_weights()))

    def variables(self) -> dict[str, keras.Variable]:
        """Return all variables of a step by their names in a checkpoint."""
        named = {f"{layer.name}/{v.name}": v for layer in self.layers for v in layer.variables}
        return named | {f"optimizer/{v.name}": v for v in self.optimizer.variables}

    def network(self, temperature: float) -> keras.Model:
        """Return the whole network in float32, with the standardization folded in and the logits
        divided by `temperature`."""
        first = self.settings.first_of_head()
        weights = read_layers(self.model)
        if first in weights:  # a linear head, which has only fc8, sees windows as they are
            weights[first] = self.standardization.folded_into(*weights[first])
        kernel, bias = weights["fc8"]
        weights["fc8"] = kernel / np.float32(temperature), bias / np.float32(temperature)
        network = AlexNet(self.job.variant, self.head.output.shape[-1], weights)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.PReLU):
                network.get_layer(layer.name).set_weights(layer.get_weights())
        return network

    def _step(self, batch: Sequence[tf.Tensor], *shared: tf.Tensor) -> Result:
        """Update the weights by a batch, `shared` as in `Workers.learn`; return its losses and hits
        before the update."""
        # Gradients of weights that are cast to their layers' type are never written in float32,
        # which saves a tenth of a step's time and 200 MB.
        weights = [
            tf.cast(variable, layer.compute_dtype)
            for layer in self.layers
            for variable in layer.trainable_variables
        ]
        learn = partial(self.workers.learn, self._learn) if shared else self._learn
        losses, hits, values, gradients = learn(weights, batch, *shared)
        for variable, value in zip(self.others, values):
            if value is not None:
                variable.assign(value)
        self._update(gradients)
        return losses, hits

    def _learn(
        self, weights: Sequence[tf.Tensor], batch: Sequence[tf.Tensor], *shared: tf.Tensor
    ) -> tuple[Any, ...]:
        """Return losses and hits of examples, new values of `others`, and the gradients of their
        part of the batch's mean loss."""
        values, labels, *windows = batch
        with tf.GradientTape() as tape, keras.StatelessScope() as scope:
            for variable, weight in zip(self.trained, weights):
                tape.watch(weight)
                scope.add_update((variable, weight))
            if shared:
                rows, size = shared
                values, *windows = map(never_empty, (values, *windows))
                inputs = self.standardization.apply(self.entering_head(values, *windows))
                logits = self._dropping(inputs, never_empty(rows), size)[: tf.shape(labels)[0]]
            else:
                inputs = self.standardization.apply(self.entering_head(values, *windows))
                logits = self.head(inputs, training=True)
            losses = weighted = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            hits = tf.argmax(logits, axis=1) == labels
            if self.class_weights is not None:
                weighted = losses * tf.gather(self.class_weights, labels)
            if shared:
                loss = tf.reduce_sum(weighted) / tf.cast(shared[-1], tf.float32)
            else:
                loss = tf.reduce_mean(weighted)
        states = [scope.get_current_value(variable) for variable in self.others]
        return losses, hits, states, tape.gradient(loss, weights)

    def _dropping(self, values: tf.Tensor, rows: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the training logits of the `rows` of a batch of `size`, with the dropout of the
        whole batch, so that it is the same for any number of workers."""
        for layer in self.head.layers[1:]:
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                values = tf.cast(values, layer.compute_dtype)
                ones = tf.ones((size, values.shape[1]), values.dtype)
                kept = keras.random.dropout(ones, layer.rate, seed=layer.seed_generator)
                values *= tf.gather(kept, rows)
            else:
                values = layer(values)
        return values

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        """Apply clipped gradients, with weight decay through the momentum or beside it; only
        kernels decay, as in Caffe's bvlc_alexnet (decay_mult)."""
        gradients = [tf.cast(gradient, tf.float32) for gradient in gradients]
        if self.settings.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip)
        applied = []
        for gradient, variable, rate in zip(gradients, self.trained, self.rates):
            decay = self.settings.weight_decay if variable.name == "kernel" else 0
            if decay and self.settings.decoupled:
                taken = variable * decay * (rate * self.optimizer.learning_rate)
                variable.assign(variable - taken)
            elif decay:
                gradient = gradient + decay * variable
            # With a constant momentum this is the same as another learning rate.
            applied.append(gradient if rate == 1 else rate * gradient)
        self.optimizer.apply(applied, self.trained)

    def _logits(self, values: tf.Tensor) -> tf.Tensor:
        """Return the logits of a batch; the windows of each picture follow one another."""
        return self.head(self.standardization.apply(self.entering_head(values)), training=False)

    def entering_head(self, values: tf.Tensor, windows: tf.Tensor | None = None) -> tf.Tensor:
        """Return the head's inputs, float32 (batch, 9216) for fc6. If the values contain all
        windows, `windows` chooses one for each picture; without it all are returned: (batch ×
        windows, 9216)."""
        count = tf.shape(values, tf.int64)[0]
        if self.below:
            values = tf.cast(values, self.below.input.dtype)
            values = self.below(values, training=False)  # a dropout here is between frozen layers
        if windows is not None:
            values = tf.gather(values, tf.range(count) * self.job.variant.windows + windows)
        return tf.cast(values, tf.float32)


def never_empty(values: tf.Tensor) -> tf.Tensor:
    """Return what a worker has of a batch, or zeros for one example if that is nothing.

    TensorFlow's convolution of no pictures has the wrong shape where oneDNN computes it.
    """
    missing = tf.maximum(1 - tf.shape(values)[0], 0)
    return tf.pad(values, [[0, missing], *([[0, 0]] * (len(values.shape) - 1))])


def balanced(labels: np.ndarray) -> np.ndarray:
    """Return scikit-learn's "balanced" class weights: pictures / (classes × pictures of the class),
    float64; their mean over all pictures is 1."""
    counts = np.bincount(labels)  # scikit-learn takes a second to import
    return len(labels) / (len(counts) * counts)


def _rates(job: Job, layers: Sequence[keras.layers.Layer]) -> list[float]:
    """Return the factor of each variable's learning rate: 1, except for pretrained layers below fc8
    if fc6 or fc7 is one of them."""
    rate = job.settings.head_rate or (1.0 if "fc8" in job.weights else HEAD_RATE)
    given = {layer.name for layer in layers if layer.trainable} & set(job.weights) - {"fc8"}
    if not given & {"fc6", "fc7"}:
        given = set()
    return [
        rate if layer.name in given else 1.0 for layer in layers for _ in layer.trainable_variables
    ]
