"""torchvision's names of AlexNet's layers, in PyTorch and safetensors files."""

import collections
from collections.abc import Mapping

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.weights import Weights
from alexnet_tf.weights.formats.channels_first import to_channels_first, to_channels_last

# torchvision/models/alexnet.py: indices in the two nn.Sequential. Each layer has weight and bias.
LAYERS = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "fc8",
}
PARTS = ("weight", "bias")


def layer_and_part(name: str) -> tuple[str, str] | None:
    """Return ("conv1", "weight") for "features.0.weight"; None for a name of no layer.
    nn.DataParallel puts "module." before names, or into them."""
    place, _, part = ".".join(word for word in name.split(".") if word != "module").rpartition(".")
    return (LAYERS[place], part) if place in LAYERS and part in PARTS else None


def read_layers(arrays: Mapping[str, np.ndarray]) -> Weights:
    """Convert arrays by torchvision's names to layers, all of AlexNet or only some."""
    layers: dict[str, dict[str, np.ndarray]] = collections.defaultdict(dict)
    for name, array in arrays.items():
        found = layer_and_part(name)
        if not found:
            raise BadFile(
                f"has an entry '{name}'; torchvision's AlexNet has "
                f"{', '.join(LAYERS)}, a weight and a bias in each"
            )
        layer, part = found
        if part in layers[layer]:
            raise BadFile(f"has two entries for the {part} of {layer}, the second is '{name}'")
        layers[layer][part] = array
    for layer, parts in layers.items():
        if len(parts) < len(PARTS):
            raise BadFile(f"lacks the weight or the bias of {layer}")
    return to_channels_last({name: (one["weight"], one["bias"]) for name, one in layers.items()})


def write_layers(weights: Weights) -> dict[str, np.ndarray]:
    """Convert layers to arrays by torchvision's names; the inverse of `read_layers`."""
    layers = to_channels_first(weights)
    return {
        f"{place}.{part}": array
        for place, name in LAYERS.items()
        if name in layers
        for part, array in zip(PARTS, layers[name])
    }
