"""A step of training in plain NumPy and double precision: what the trainer is tested against.

It knows the table of variants and the settings, and nothing of how the network is trained. Each
function of a layer returns its outputs, and what makes of their gradient that of its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from alexnet_tf.runs.settings import Settings
from alexnet_tf.variants import Variant

Arrays = dict[str, np.ndarray]
MOMENTUM = 0.9  # Krizhevsky 2012, section 5


def gradients(
    variant: Variant,
    weights: Mapping[str, np.ndarray],
    values: np.ndarray,
    labels: np.ndarray,
    layer: str,
    windows: np.ndarray | None,
    standardized: tuple[str, np.ndarray, float],
    dropped: Mapping[str, np.ndarray],
    balance: np.ndarray | None,
) -> tuple[np.ndarray, Arrays]:
    """Return the losses (n,) of what enters `layer`, and the gradients of their mean by name.

    `windows` are the numbers of those that are seen of maps; (layer, center, scale) says where
    inputs are `standardized`; `dropped` has what dropout multiplies values by, by its layer.
    """
    found: Arrays = {}
    back = []

    def apply(step, *arguments):
        nonlocal x
        x, backward = step(x, *arguments)
        back.append(backward)

    def weighted(step, name, *arguments):
        nonlocal x
        x, backward = step(x, weights[f"{name}/kernel"], weights[f"{name}/bias"], *arguments)

        def keep(gradient):
            gradient, found[f"{name}/kernel"], found[f"{name}/bias"] = backward(gradient)
            return gradient

        back.append(keep)

    def activated(number):
        nonlocal x
        if variant.activation != "prelu":
            return apply(_activation, variant.activation)
        slope, inputs = weights[f"prelu{number}/alpha"], x
        x = np.where(inputs > 0, inputs, slope * inputs)

        def keep(gradient):
            each = np.where(inputs > 0, 0, inputs * gradient)
            axes = tuple(range(each.ndim - 1)) if number < 6 else 0
            found[f"prelu{number}/alpha"] = each.sum(axis=axes).reshape(slope.shape)
            return np.where(inputs > 0, gradient, slope * gradient)

        back.append(keep)

    x = values.astype(np.float64)
    last = variant.conv_layers[-1]
    for index, name in enumerate(variant.conv_layers):
        if name < layer:
            continue
        weighted(_convolution, name, variant.groups[index])
        activated(index + 1)
        apply(_pooling, variant.pool_size, 1 if variant.scaled and name == last else 2)
    if windows is not None and layer < "fc6":
        apply(_windows, variant, windows)
    if x.ndim == 4:
        apply(lambda x: (x.reshape(len(x), -1), lambda g, shape=x.shape: g.reshape(shape)))
    where, center, scale = standardized
    for number in (6, 7, 8):
        name = f"fc{number}"
        if name < layer:
            continue
        if name == where:
            apply(lambda x: ((x - center) * scale, lambda g: g * scale))
        if f"drop{number - 1}" in dropped:
            apply(lambda x, kept: (x * kept, lambda g: g * kept), dropped[f"drop{number - 1}"])
        weighted(_dense, name)
        if number < 8:
            activated(number)
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    gradient = probabilities.copy()
    gradient[rows, labels] -= 1
    gradient /= len(labels)
    if balance is not None:
        gradient *= balance[labels, None]
    for backward in reversed(back):
        gradient = backward(gradient)
    return -np.log(probabilities[rows, labels]), found


def _dense(x, kernel, bias):
    return x @ kernel + bias, lambda g: (g @ kernel.T, x.T @ g, g.sum(axis=0))


def _convolution(x, kernel, bias, groups):
    size = kernel.shape[0]
    inputs, kernels = np.split(x, groups, -1), np.split(kernel, groups, -1)
    patches = [sliding_window_view(each, (size, size), (1, 2)) for each in inputs]
    outputs = [np.tensordot(*each, ((3, 4, 5), (2, 0, 1))) for each in zip(patches, kernels)]

    def back(gradient):
        parts = np.split(gradient, groups, -1)
        of_kernel = [
            np.tensordot(*each, ((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
            for each in zip(patches, parts)
        ]
        of_inputs = [np.zeros_like(each) for each in inputs]
        rows, columns = gradient.shape[1:3]
        for whole, part, own in zip(of_inputs, parts, kernels):
            for i in range(size):
                for j in range(size):
                    whole[:, i : i + rows, j : j + columns] += part @ own[i, j].T
        of_bias = gradient.sum(axis=(0, 1, 2))
        return np.concatenate(of_inputs, -1), np.concatenate(of_kernel, -1), of_bias

    return np.concatenate(outputs, -1) + bias, back


def _pooling(x, size, stride):
    seen = sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    flat = seen.reshape(*seen.shape[:4], size * size)
    chosen = flat.argmax(axis=4)

    def back(gradient):
        found = np.zeros_like(x)
        rows, columns = gradient.shape[1:3]
        for place in range(size * size):
            i, j = divmod(place, size)
            part = found[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            part += np.where(chosen == place, gradient, 0)
        return found

    return flat.max(axis=4), back


def _windows(x, variant, numbers):
    places = [variant.window(number) for number in numbers]

    def back(gradient):
        found = np.zeros_like(x)
        for each, part, place in zip(found, gradient, places):
            each[place] = part
        return found

    return np.stack([each[place] for each, place in zip(x, places)]), back


def _activation(x, name):
    if name == "tanh":
        y = np.tanh(x)
        return y, lambda g: g * (1 - y**2)
    assert name == "relu"
    return np.maximum(x, 0), lambda g: np.where(x > 0, g, 0)


class Steps:
    """The update of the settings: of `weights`, which it changes, with momenta and moving means."""

    def __init__(self, settings: Settings, weights: Arrays, pretrained: Sequence[str]):
        self.settings, self.weights = settings, weights
        self.velocity = {name: np.zeros_like(weights[name]) for name in weights}
        self.means = {name: weights[name].copy() for name in weights}
        given = [name for name in pretrained if name != "fc8"]
        self.slow = given if {"fc6", "fc7"} & {*given} else []
        self.made = 0

    def rate(self, epoch: int, step: int, steps: int, pictures: int, accuracies: list) -> float:
        """Return the rate of a step (from 0) of an epoch (from 0)."""
        config = self.settings
        seen = epoch * pictures + step * pictures // steps
        rate, warm = config.learning_rate, config.warm_up * pictures
        if config.schedule == "exponential":
            rate *= config.decay ** (seen // config.decay_samples)
        elif config.schedule == "plateau":
            since = 0
            for number, accuracy in enumerate(accuracies):
                since = 0 if accuracy > max(accuracies[:number], default=-1) else since + 1
                if since == config.patience:
                    rate, since = rate * config.decay, 0
        elif config.schedule == "cosine":
            share = (seen - warm) / (config.fall * pictures - warm)
            rate *= 0.5 * (1 + math.cos(math.pi * min(1, max(0, share))))
        return rate * min(1, (seen + config.batch_size) / warm) if warm else rate

    def make(self, rate: float, found: Arrays, horizon: float) -> None:
        """Make a step of these gradients; the moving means are over about `horizon` steps."""
        config, self.made = self.settings, self.made + 1
        found = {name: found[name] for name in self.weights}
        length = math.sqrt(sum((each**2).sum() for each in found.values()))
        clipped = min(1, config.clip / length) if config.clip else 1
        for name, weight in self.weights.items():
            layer, kind = name.split("/")
            own = (config.head_rate or 0.1) if layer in self.slow else 1
            decay = config.weight_decay if kind == "kernel" else 0
            gradient = clipped * found[name]
            if not config.decoupled:
                gradient = gradient + decay * weight
            beside = own * rate * decay * weight if config.decoupled else 0
            self.velocity[name] = MOMENTUM * self.velocity[name] - rate * own * gradient
            weight += self.velocity[name] - beside
            share = 1 / max(1, min(self.made, horizon))
            self.means[name] += share * (weight - self.means[name])
