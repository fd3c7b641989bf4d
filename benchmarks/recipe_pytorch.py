"""The usual recipe in PyTorch: frozen convolutions and a new head, pictures from a DataLoader.

`python -m benchmarks.recipe_pytorch LISTS --weights FILE --variant V --epochs N` does what
`benchmarks.recipe_keras` does and writes LISTS/usual.pt.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.variants import CONV_LAYERS, VARIANTS, Variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import open_weights
from benchmarks.usual import BATCH, LEARNING_RATE, MEAN, MOMENTUM, SEED, goes_on


def plain_convolutions(variant: Variant, weights: Weights) -> nn.Sequential:
    """Build conv1 … pool5 of ``bvlc`` or ``caffenet`` of PyTorch's layers, not to be trained.

    Takes float32 (batch, 3, 227, 227) and gives (batch, 256, 6, 6).
    """
    network = nn.Sequential(
        *(nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(inplace=True), *_after_conv(variant)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(inplace=True), *_after_conv(variant)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(inplace=True)),
        nn.MaxPool2d(3, 2),
    )
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    for name, layer in zip(CONV_LAYERS, convolutions):
        kernel, bias = weights[name]
        kernel = np.array(kernel.transpose(3, 2, 0, 1), order="C")
        layer.weight.data, layer.bias.data = torch.from_numpy(kernel), torch.tensor(bias)
    return network.eval().requires_grad_(False)


def _after_conv(variant: Variant) -> list[nn.Module]:
    # PyTorch divides alpha by the size, as Caffe does.
    steps = {
        "norm": nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1),
        "pool": nn.MaxPool2d(3, 2),
    }
    return [steps[step] for step in variant.after_conv[0]]


def train(
    lists: Path,
    weights: Path,
    variant: Variant,
    epochs: int,
    layout: torch.memory_format,
    until: float | None,
) -> float:
    """Train for `epochs`, or until that accuracy; save the model, return the best accuracy."""
    torch.manual_seed(SEED)
    features = plain_convolutions(variant, open_weights(weights, variant))
    features = features.to(memory_format=layout)
    classes = len((lists / "classes.txt").read_text().splitlines())
    head = nn.Sequential(
        *(nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(4096, classes),
    )
    optimizer = torch.optim.SGD(head.parameters(), LEARNING_RATE, MOMENTUM)
    training = _loader(lists / "train.txt", training=True)
    validation = _loader(lists / "val.txt", training=False)
    accuracies = []
    for epoch in range(epochs):
        head.train()
        for pictures, labels in training:
            with torch.no_grad():
                pool5 = features(pictures.contiguous(memory_format=layout))
            loss = nn.functional.cross_entropy(head(pool5), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracies.append(_accuracy(features, head.eval(), validation, layout))
        if not goes_on(epoch + 1, accuracies[-1], until):
            break
    torch.save({"features": features.state_dict(), "head": head.state_dict()}, lists / "usual.pt")
    return max(accuracies)


@torch.no_grad()
def _accuracy(features, head, validation: DataLoader, layout: torch.memory_format) -> float:
    hits = [
        head(features(pictures.contiguous(memory_format=layout))).argmax(1) == labels
        for pictures, labels in validation
    ]
    return torch.cat(hits).float().mean().item()


def _loader(list_file: Path, training: bool) -> DataLoader:
    pictures, workers = _Pictures(list_file, training), len(os.sched_getaffinity(0))
    return DataLoader(
        pictures, BATCH, shuffle=training, num_workers=workers, persistent_workers=True
    )


class _Pictures(Dataset):
    """Pictures and labels: the short side scaled to 256, the centre 227 × 227 cut out, BGR less the
    mean, half of them flipped in training."""

    def __init__(self, list_file: Path, training: bool):
        self.files, self.training = read_list(list_file), training

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int):
        path, label = self.files[index]
        with Image.open(path) as file:
            picture = file.convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], Image.BILINEAR)
        left, top = ((side - 227) // 2 for side in picture.size)
        picture = picture.crop((left, top, left + 227, top + 227))
        pixels = np.asarray(picture, np.float32)[..., ::-1] - np.array(MEAN, np.float32)
        if self.training and torch.rand(1) < 0.5:
            pixels = pixels[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), int(label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lists", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--until", type=float)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    variant = VARIANTS[options.variant]
    print(train(options.lists, options.weights, variant, options.epochs, layout, options.until))


if __name__ == "__main__":
    main()
