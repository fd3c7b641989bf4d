"""conv1 … pool5 of `bvlc` on batches of real photos, by this program and by plain networks.

`python -m benchmarks.convolutions NETWORK FOLDER WEIGHTS` measures one of `NETWORKS` in a process
of its own and prints its seconds a picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from alexnet_tf.data.images.preprocessing import load_batches, preprocess_input
from alexnet_tf.system.processor import trained_precision
from alexnet_tf.variants import get_variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import open_weights
from benchmarks.material import write_photos, write_random_convolutions
from benchmarks.process import run_python
from benchmarks.row import Comparison, Figures, Place, Row

VARIANT = get_variant("bvlc")
BATCH = 64
PICTURES, REPEATS = 4 * BATCH, 5

Forward = Callable[[np.ndarray], object]


def ours(weights: Weights, precision: str) -> Forward:
    from alexnet_tf.frozen.layers import frozen_part
    from alexnet_tf.model import AlexNet

    computed = trained_precision(precision)
    model = AlexNet(VARIANT.name, weights=weights, include_top=False, precision=computed)
    forward = frozen_part(model, VARIANT, precision, BATCH)
    return lambda pictures: [forward(batch) for batch in _batches(pictures)]


def keras(weights: Weights) -> Forward:
    from benchmarks import recipe_keras

    model = recipe_keras.plain_convolutions(VARIANT, weights)
    return lambda pictures: model.predict(pictures, batch_size=BATCH, verbose=0)


def pytorch(weights: Weights, layout: str) -> Forward:
    import torch

    from benchmarks import recipe_pytorch

    layout = getattr(torch, layout)
    model = recipe_pytorch.plain_convolutions(VARIANT, weights).to(memory_format=layout)

    @torch.no_grad()
    def forward(pictures):
        for batch in _batches(pictures):
            inputs = torch.from_numpy(batch.transpose(0, 3, 1, 2))
            model(inputs.contiguous(memory_format=layout))

    return forward


NETWORKS: dict[str, Callable[[Weights], Forward]] = {
    "ours, int8": partial(ours, precision="int8"),
    "ours, bfloat16": partial(ours, precision="bfloat16"),
    "ours, float32": partial(ours, precision="float32"),
    "Keras": keras,
    "PyTorch": partial(pytorch, layout="contiguous_format"),
    "PyTorch, channels last": partial(pytorch, layout="channels_last"),
}


def _batches(pictures: np.ndarray) -> list[np.ndarray]:
    return [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]


def seconds_a_picture(forward: Forward, pictures: np.ndarray) -> float:
    return median(repeat(forward, pictures, REPEATS)) / len(pictures)


def repeat(forward: Callable, value: object, repeats: int) -> list[float]:
    """Measure the seconds of `repeats` calls, after one that does not count."""
    forward(value)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        forward(value)
        seconds.append(time.perf_counter() - start)
    return seconds


def load_pictures(folder: Path, preprocess: bool = True) -> np.ndarray:
    """Load the network's inputs of the photos in `folder`, or what ours take, their pixels."""
    paths = sorted(folder.rglob("*.jpg"))
    (views,) = load_batches([paths], VARIANT.name)
    pictures = np.concatenate(views)
    return preprocess_input(pictures, VARIANT) if preprocess else pictures


def _prepare(place: Place) -> None:
    """Write photos and random convolutions: their values do not change the time."""
    write_photos(place.photos, PICTURES, place.folder)
    write_random_convolutions(place.folder / "random.npy", VARIANT)


def _measure(network: str, place: Place) -> Figures:
    photos, weights = place.folder / "photos", place.folder / "random.npy"
    ended = run_python("-m", "benchmarks.convolutions", network, photos, weights)
    return {"seconds": float(ended.output)}


@cache
def channels_last_is_faster(place: Place) -> bool:
    """Find out whether PyTorch's convolutions are faster so on this machine."""
    with TemporaryDirectory(dir=place.folder) as name:
        own = replace(place, folder=Path(name))
        _prepare(own)
        layouts = "PyTorch", "PyTorch, channels last"
        plain, last = (_measure(network, own)["seconds"] for network in layouts)
    return last < plain


def _row() -> Row:
    names = ["ours, bfloat16", "ours, float32", "Keras"]
    if find_spec("openvino"):
        names.insert(0, "ours, int8")
    if find_spec("torch"):
        names += ["PyTorch", "PyTorch, channels last"]
    # With bfloat16 or less, and with float32.
    targets = {"Keras": ("3×", "1.4×"), "PyTorch": ("5×", "2.5×")}
    targets["PyTorch, channels last"] = targets["PyTorch"]
    comparisons = [
        Comparison(side, against, targets[against][side == "ours, float32"])
        for side in names
        for against in names
        if side.startswith("ours") and against in targets
    ]
    return Row(
        "conv",
        "conv1–pool5, bvlc, 64 photos at a time",
        {name: partial(_measure, name) for name in names},
        tuple(comparisons),
        lambda seconds: f"{1 / seconds:.0f} pictures/s",
        prepare=_prepare,
    )


ROW = _row()


def main() -> None:
    network, folder, weights = sys.argv[1:]
    forward = NETWORKS[network](open_weights(weights, VARIANT))
    pictures = load_pictures(Path(folder), preprocess="ours" not in network)
    print(seconds_a_picture(forward, pictures))


if __name__ == "__main__":
    main()
