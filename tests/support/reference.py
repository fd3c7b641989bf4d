"""AlexNet's forward pass in plain NumPy and double precision: what the network is tested against.

It shares nothing with the network but the table of variants. Pictures are (rows, columns,
channels).
"""

import numpy as np


def forward(variant, weights, x):
    """Return the outputs of conv1 … prob by layer name, fc6 and fc7 with their ReLU."""
    stages = {}
    x = np.pad(x.astype("f8"), (variant.border, variant.border, (0, 0)))
    for i, name in enumerate(variant.conv_layers):
        x = convolve(x, *weights[name], variant.strides[i], variant.groups[i], variant.paddings[i])
        x = stages[name] = np.maximum(x, 0)
        for step in variant.after_conv[i]:
            x = pool(x, variant) if step == "pool" else normalize(x, variant)
            stages[f"{step}{i + 1}"] = x
    x = x.ravel()
    for name in ("fc6", "fc7", "fc8"):
        kernel, bias = weights[name]
        x = x @ kernel.astype("f8") + bias
        x = stages[name] = x if name == "fc8" else np.maximum(x, 0)
    stages["prob"] = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
    return stages


def convolve(x, kernel, bias, stride, groups, padding):
    """Convolve by im2col: every window of the picture as a row, times the kernel as a matrix."""
    size = kernel.shape[0]
    x = np.pad(x, borders(x, size, stride, padding))
    parts = []
    for inputs, kernels in zip(np.split(x, groups, -1), np.split(kernel, groups, -1)):
        patches = windows(inputs, size, stride)
        columns = patches.reshape(-1, size * size * inputs.shape[-1])
        outputs = columns @ kernels.reshape(columns.shape[1], -1).astype("f8")
        parts.append(outputs.reshape(*patches.shape[:2], -1))
    return np.concatenate(parts, -1) + bias


def pool(x, variant):
    """Take the largest value of each window; what is padded is never the largest."""
    size, stride = variant.pool_size, variant.pool_stride
    x = np.pad(x, borders(x, size, stride, variant.pool_padding), constant_values=-np.inf)
    return windows(x, size, stride).max((2, 3))


def normalize(x, variant):
    """Normalize as Krizhevsky 2012, section 3.3, one channel after the other."""
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        neighbours = x[..., max(0, c - variant.lrn_radius) : c + variant.lrn_radius + 1]
        scale = variant.lrn_bias + variant.lrn_alpha * (neighbours**2).sum(-1)
        y[..., c] = x[..., c] / scale**variant.lrn_beta
    return y


def windows(x, size, stride):
    """Cut out all windows: (rows, columns, size, size, channels)."""
    rows, columns = ((side - size) // stride + 1 for side in x.shape[:2])
    patches = [
        [x[r * stride :, c * stride :][:size, :size] for c in range(columns)] for r in range(rows)
    ]
    return np.array(patches)


def borders(x, size, stride, padding):
    """Return what TensorFlow's "same" pads: a window a stride, an odd pixel right and below."""
    if padding == "valid":
        return ((0, 0), (0, 0), (0, 0))
    totals = [max(0, (-(-side // stride) - 1) * stride + size - side) for side in x.shape[:2]]
    return (*((total // 2, total - total // 2) for total in totals), (0, 0))


def random_weights(variant, classes, seed=0):
    """Draw kernels by which values neither die out nor explode (He 2015), logits of a few units."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in (variant.conv_kernels() | variant.fc_kernels(classes)).items():
        deviation = np.sqrt(2 / np.prod(shape[:-1])) / (300 if name == "fc8" else 1)
        kernel = random.normal(0, deviation, shape).astype("f4")
        weights[name] = kernel, random.normal(0, 1, shape[-1]).astype("f4")
    return weights
