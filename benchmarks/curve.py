"""Measure how accuracy grows with the number of photos: python -m benchmarks.curve

A learning curve: trainings of 250 to all photos, several seeds each, validated by the same photos.
The errors are fitted by a + b·n^−c, drawn, and read off where there is more. A training is kept as
soon as it is made: the same command, interrupted, goes on.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.system import arguments
from alexnet_tf.system.text import markdown
from benchmarks.machine import describe_machine
from benchmarks.material import default_material, train
from benchmarks.results import Results
from benchmarks.row import Place

SIZES = (250, 500, 1020, 2000, 4000, 5950)
# The training photos of `make data`: 85% of Kaggle's 25,000.
TUTORIAL = 21_250
SEEDS = 3
ACCURACY = re.compile(r"^[\d-]+ [\d:]+ accuracy ([\d.]+) on ", re.MULTILINE)
# Sizes are drawn again so often, for the interval of what is read off.
DRAWS = 200


def parse_arguments() -> argparse.Namespace:
    photos, weights, variant = default_material()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve", description=__doc__)
    add = parser.add_argument
    add("--photos", default=photos, metavar="PATH", help="pictures in classes (%(default)s)")
    add("--weights", default=weights, metavar="FILE", help="pretrained weights (%(default)s)")
    add("--variant", default=variant, metavar="NAME", help="what they were trained for")
    add("--recipe", default="head", choices=RECIPES, help="how to train (%(default)s)")
    add("--sizes", nargs="+", type=arguments.positive, default=SIZES, metavar="N")
    add("--out", type=Path, default=Path("benchmarks/results/curve.json"), metavar="FILE")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    conditions = describe_machine() | {
        name: Path(str(getattr(options, name))).name for name in ("photos", "weights", "recipe")
    }
    results = Results(options.out, conditions)
    dataset = open_dataset(options.photos)
    sizes = [size for size in options.sizes if size <= len(dataset.train)]
    place = Place(
        Path(options.photos),
        Path(options.weights).resolve(),
        options.variant,
        options.out.resolve().parent,
    )
    for size in sizes:
        for seed in range(len(results.of("curve", str(size))), SEEDS):
            accuracy = _train(place, dataset, size, seed, options.recipe)
            results.add("curve", str(size), {"accuracy": accuracy})
            print(f"{size} photos, seed {seed}: {accuracy:.4f}", flush=True)
    found = {
        size: np.array([each["accuracy"] for each in results.of("curve", str(size))])
        for size in sizes
    }
    lines = [
        (f"{size:,}", f"{a.mean():.4f}", f"{a.min():.4f} – {a.max():.4f}")
        for size, a in found.items()
    ]
    print(markdown([("photos to train on", "accuracy", "of the seeds"), *lines]))
    if len(sizes) > 3:
        _conclude(found, options.out)


def _train(place: Place, dataset: Dataset, size: int, seed: int, recipe: str) -> float:
    """Train on `size` of the photos, drawn by `seed`; return the accuracy on those to validate."""
    chosen = np.random.default_rng(seed).permutation(len(dataset.train))[:size]
    part = replace(
        dataset, train=tuple(dataset.train[number] for number in np.sort(chosen)), test=()
    )
    with TemporaryDirectory(dir=place.folder) as name:
        folder = Path(name)
        write_lists(part, folder)
        features = place.folder / "features"  # computed once for all
        train(
            place,
            folder / "train.txt",
            folder,
            *("--seed", seed, "--recipe", recipe, "--features", features, "--tensorboard", "off"),
        )
        said = ACCURACY.findall((folder / "train_alexnet.log").read_text())
    return float(said[-1])


def fit(sizes: np.ndarray, errors: np.ndarray) -> tuple[float, float, float]:
    """Fit a, b ≥ 0 and 0 ≤ c ≤ 2 of error = a + b·n^−c to the logarithms of `errors`."""
    from scipy.optimize import least_squares

    def distances(found: np.ndarray) -> np.ndarray:
        return np.log(curve(found, sizes)) - np.log(errors)

    bounds = ([0, 1e-9, 0], [errors.min(), np.inf, 2])
    start = [errors.min() / 2, errors.max() * sizes.min() ** 0.5, 0.5]
    return tuple(least_squares(distances, start, bounds=bounds, x_scale=[0.01, 1, 0.3]).x)


def curve(found: tuple[float, float, float], sizes: np.ndarray) -> np.ndarray:
    """Return the errors after `sizes` photos."""
    a, b, c = found
    return a + b * np.asarray(sizes, float) ** -c


def _conclude(found: dict[int, np.ndarray], out: Path) -> None:
    """Fit the curve, print what it says, and draw it beside `out`."""
    sizes = np.array(list(found), float)
    a, b, c = best = fit(sizes, np.array([1 - each.mean() for each in found.values()]))
    random = np.random.default_rng(0)
    drawn = [
        fit(sizes, np.array([1 - random.choice(each, len(each)).mean() for each in found.values()]))
        for _ in range(DRAWS)
    ]
    expected = 1 - curve(best, TUTORIAL)
    low, high = np.quantile([1 - curve(each, TUTORIAL) for each in drawn], (0.025, 0.975))
    print(f"error = {a:.4f} + {b:.3f}·n^−{c:.3f}")
    print(
        f"after {TUTORIAL:,} photos: {expected:.4f} ({low:.4f} – {high:.4f}, 95% of {DRAWS} draws "
        "of the seeds)"
    )
    _draw(found, best, out.with_suffix(".svg"))


def _draw(found: dict[int, np.ndarray], best: tuple[float, float, float], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for size, accuracies in found.items():
        axes.plot([size] * len(accuracies), 100 * (1 - accuracies), "o", color="tab:blue")
    along = np.geomspace(min(found), TUTORIAL, 200)
    axes.plot(along, 100 * curve(best, along), color="tab:orange")
    axes.plot([TUTORIAL], [100 * curve(best, TUTORIAL)], "D", color="tab:orange")
    axes.set(xscale="log", yscale="log", xlabel="photos to train on", ylabel="errors, %")
    for axis, ticks in ((axes.xaxis, [*found, TUTORIAL]), (axes.yaxis, (2, 3, 4, 5, 6, 8, 10))):
        axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        axis.set_ticks([], minor=True)
    axes.grid(alpha=0.3)
    figure.savefig(path)
    print(path)


if __name__ == "__main__":
    cli.run(main, "curve")
