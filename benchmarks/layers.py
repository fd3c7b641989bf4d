"""How much of the processor's arithmetic each layer of the conv stack of `bvlc` uses.

`python -m benchmarks.layers PRECISION FOLDER WEIGHTS` measures in a process of its own and prints
the figures as JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from alexnet_tf.system.text import markdown
from alexnet_tf.weights.loading import open_weights
from benchmarks.convolutions import BATCH, VARIANT, load_pictures, repeat
from benchmarks.material import write_photos, write_random_convolutions
from benchmarks.process import run_python
from benchmarks.row import Figures, Place, Row

REPEATS = 10
# Side of the matrices whose product shows the peak: large enough that nothing else takes time.
PEAK_SIDE = 4096
WHOLE, PEAK = "the whole stack", "matmul peak"


def measure(pictures: np.ndarray, weights: Path, precision: str) -> Figures:
    """Measure the seconds of a batch of `pictures` in each layer alone, by name, and in the whole
    stack; and the floating-point operations that a large product of matrices does in a second."""
    import tensorflow as tf

    from alexnet_tf.model import AlexNet

    opened = open_weights(weights, VARIANT)
    model = AlexNet(VARIANT.name, weights=opened, include_top=False, precision=precision)
    value = tf.cast(tf.constant(pictures), precision)
    figures = {WHOLE: _seconds(tf.function(partial(model, training=False)), value)}
    for layer in model.layers[1:]:
        forward = tf.function(layer)
        figures[layer.name] = _seconds(forward, value)
        value = forward(value)
    matrix = tf.cast(tf.random.normal((PEAK_SIDE, PEAK_SIDE)), precision)
    seconds = _seconds(tf.function(lambda matrix: tf.matmul(matrix, matrix)), matrix)
    return figures | {PEAK: 2 * PEAK_SIDE**3 / seconds}


def _seconds(forward: Callable, value) -> float:
    """Take the best of some repeats: a peak is no average."""
    return min(repeat(forward, value, REPEATS))


def operations() -> dict[str, int]:
    """Count the multiplications and additions of each convolution, for one picture."""
    sides = {"conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13}
    kernels = VARIANT.conv_kernels()
    return {name: 2 * side**2 * math.prod(kernels[name]) for name, side in sides.items()}


def _prepare(place: Place) -> None:
    write_photos(place.photos, BATCH, place.folder)
    write_random_convolutions(place.folder / "random.npy", VARIANT)


def _measure(precision: str, place: Place) -> Figures:
    photos, weights = place.folder / "photos", place.folder / "random.npy"
    return json.loads(
        run_python("-m", "benchmarks.layers", precision, photos, weights).output.splitlines()[-1]
    )


def _details(medians: dict[str, Figures]) -> str:
    return "\n".join(f"{name}\n\n{_table(figures)}" for name, figures in medians.items())


def _table(figures: Figures) -> str:
    """Show time, share of it, and share of the peak, which layers without arithmetic have not."""
    done = operations()
    done[WHOLE] = sum(done.values())
    names = [name for name in figures if name not in (WHOLE, PEAK)]
    total = sum(figures[name] for name in names)
    lines = [("layer", "ms", "of the layers", "GFLOP/s", "of the peak")]
    for name in (*names, WHOLE):
        seconds, speed = figures[name], BATCH * done.get(name, 0) / figures[name]
        lines.append(
            (
                name,
                f"{1000 * seconds:.1f}",
                f"{seconds / total:.0%}",
                f"{speed / 1e9:.0f}" if speed else "",
                f"{speed / figures[PEAK]:.0%}" if speed else "",
            )
        )
    lines.append((PEAK, "", "", f"{figures[PEAK] / 1e9:.0f}", ""))
    return markdown(lines, right=False)


ROW = Row(
    "layers",
    f"each layer of bvlc, {BATCH} photos",
    {name: partial(_measure, name) for name in ("bfloat16", "float32")},
    (),
    lambda seconds: f"{1000 * seconds:.0f} ms",
    figure=WHOLE,
    prepare=_prepare,
    details=_details,
)


def main() -> None:
    precision, folder, weights = sys.argv[1:]
    print(json.dumps(measure(load_pictures(Path(folder)), Path(weights), precision)))


if __name__ == "__main__":
    main()
