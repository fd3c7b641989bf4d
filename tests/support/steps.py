"""Steps of a training in plain NumPy and double precision: what those of a learner are tested with.

They are of fully connected layers, one ReLU after each but the last, without dropout. Layers are a
kernel and a bias by name, in order. It shares nothing with `alexnet_tf.training`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Layers = Mapping[str, Sequence[np.ndarray]]
MOMENTUM = 0.9  # Krizhevsky 2012, section 5


def steps(
    layers: Layers,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    rates: Iterable[float],
    weight_decay: float = 0.0,
    decoupled: bool = False,
    clip: float = 0.0,
    horizon: float = 0.0,
    class_weights: Sequence[float] | None = None,
    multipliers: Mapping[str, float] | None = None,
) -> tuple[dict, dict]:
    """Return the layers after a step with each batch, inputs (n, values) and labels (n,), at its
    rate; and their moving mean over about so many steps, `horizon`, 0 being no mean.

    Krizhevsky 2012, section 5: v ← 0.9 v − decay ε w − ε g, w ← w + v, where only kernels decay;
    where it is `decoupled`, w ← w − decay ε w before. The gradients of all layers together are
    shortened to `clip` before the decay; a layer's rate is multiplied by its own of `multipliers`.
    """
    layers = {name: [array.astype("f8") for array in pair] for name, pair in layers.items()}
    momenta = {name: [0.0, 0.0] for name in layers}
    means = {name: [*pair] for name, pair in layers.items()}
    for number, ((inputs, labels), rate) in enumerate(zip(batches, rates, strict=True), 1):
        gradients = differentiate(layers, inputs, labels, class_weights)
        length = np.sqrt(sum((each**2).sum() for pair in gradients.values() for each in pair))
        shorter = clip / length if clip and length > clip else 1.0
        for name, pair in layers.items():
            own = rate * (multipliers or {}).get(name, 1.0)
            for place, decay in enumerate((weight_decay, 0.0)):
                gradient = shorter * gradients[name][place]
                if decoupled:
                    pair[place] = pair[place] - own * decay * pair[place]
                else:
                    gradient = gradient + decay * pair[place]
                momenta[name][place] = MOMENTUM * momenta[name][place] - own * gradient
                pair[place] = pair[place] + momenta[name][place]
                share = 1 / max(1.0, min(number, horizon))
                means[name][place] = means[name][place] + share * (pair[place] - means[name][place])
    return layers, means


def differentiate(
    layers: Layers,
    inputs: np.ndarray,
    labels: np.ndarray,
    class_weights: Sequence[float] | None = None,
) -> dict[str, list[np.ndarray]]:
    """Return the gradients of the mean cross-entropy, each class weighed, by the layers."""
    seen = outputs(layers, inputs)
    error = (softmax(seen.pop()) - np.eye(len(layers["fc8"][1]))[labels]) / len(labels)
    if class_weights is not None:
        error *= np.take(class_weights, labels)[:, None]
    gradients = {}
    for (name, (kernel, _)), values in reversed([*zip(layers.items(), seen)]):
        gradients[name] = [values.T @ error, error.sum(axis=0)]
        error = (error @ kernel.T) * (values > 0)
    return gradients


def loss(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy."""
    probabilities = softmax(outputs(layers, inputs)[-1])
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


def outputs(layers: Layers, inputs: np.ndarray) -> list[np.ndarray]:
    """Return what enters each layer, and what the last one gives."""
    seen = [inputs.astype("f8")]
    for name, (kernel, bias) in layers.items():
        values = seen[-1] @ kernel + bias
        seen.append(values if name == [*layers][-1] else np.maximum(values, 0))
    return seen


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, classes) of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
