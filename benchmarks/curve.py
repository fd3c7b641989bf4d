"""Measure how accuracy grows with the number of photos: python -m benchmarks.curve

Trainings by default settings on 3 photos a class to all there are, drawn anew three times, each
tested on photos that no training sees; and, beside them, scikit-learn's LogisticRegression on the
same features: conv5's maxima of both flips, their means over all places (256 numbers) and over the
windows (9,216). A training is kept as soon as it is made: the same command, interrupted, goes on.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Picture, open_dataset
from alexnet_tf.metrics.calibration import log_loss
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.text import markdown
from benchmarks.machine import describe_machine
from benchmarks.material import default_material
from benchmarks.results import Results

LOG = logging.getLogger("benchmarks.curve")
SIZES = (3, 5, 10, 20, 50, 100, 250, 500, 1000, 2000, 2900)
DRAWS = 3
OURS, SIMPLE = "alexnet_tf", {"LR, 256": "means", "LR, 9,216": "windows"}
# scikit-learn's C times the number of values, on inputs of deviation 1.
STRENGTH = 30.0
# The most photos a class that the simple classifiers are given, which take minutes for more.
MOST_SIMPLE = 1000


def parse_arguments() -> argparse.Namespace:
    photos, weights, variant = default_material()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve", description=__doc__)
    add = parser.add_argument
    add("--photos", default=photos, metavar="PATH", help="pictures to draw from (%(default)s)")
    add("--test", metavar="PATH", help="pictures to test on (those that were not drawn)")
    add("--weights", default=weights, metavar="FILE", help="pretrained weights (%(default)s)")
    add("--variant", default=variant, metavar="NAME", help="what they were trained for")
    add("--sizes", nargs="+", type=arguments.positive, default=SIZES, metavar="N",
        help="photos of each class")  # fmt: skip
    add("--draws", type=arguments.positive, default=DRAWS, metavar="N")
    add("--features", default="data/features", metavar="DIR", help="where features are kept")
    add("--beside", nargs="*", type=Path, default=[], metavar="FILE",
        help="earlier results that are drawn, too")  # fmt: skip
    add("--out", type=Path, default=Path("benchmarks/results/curve.json"), metavar="FILE")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    names = ("photos", "test", "weights", "variant")
    config = {name: Path(str(getattr(options, name))).name for name in names}
    results = Results(options.out, describe_machine() | config)
    photos = [*open_dataset(options.photos).labelled()]
    test = [*open_dataset(options.test).labelled()] if options.test else []
    smallest = np.bincount([picture.label for picture in photos]).min()
    import_tensorflow()
    for size in options.sizes:
        if size > smallest:
            break
        for draw in range(len(results.of(str(size), OURS)), options.draws):
            chosen = _drawn(photos, size, draw)
            others = test or [picture for picture in photos if picture not in {*chosen}]
            for side, figures in _measured(options, chosen, others, size):
                results.add(str(size), side, figures)
                said = "  ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
                print(f"{size} a class, draw {draw}, {side}: {said}", flush=True)
    print(markdown([("photos a class", OURS, *SIMPLE), *_lines(results, options.sizes)]))
    drawn = {path.stem: Results(path, {}) for path in (options.out, *options.beside)}
    draw_curves(drawn, options.sizes, options.out.with_suffix(".svg"))


def _drawn(photos: Sequence[Picture], size: int, draw: int) -> list[Picture]:
    """Draw `size` photos of each class."""
    random, labels = np.random.default_rng(draw), np.array([each.label for each in photos])
    chosen = [random.permutation(np.flatnonzero(labels == c))[:size] for c in np.unique(labels)]
    return [photos[number] for number in np.concatenate(chosen)]


def _measured(
    options: argparse.Namespace, chosen: Sequence[Picture], test: Sequence[Picture], size: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Train on the photos chosen, by default settings and by the simple classifiers; yield how
    good each is at those to test on."""
    from alexnet_tf.inference.engine import Engine
    from alexnet_tf.inference.predictions import open_store, predict_pictures
    from alexnet_tf.runs.run import Run
    from alexnet_tf.training.frozen import fill
    from alexnet_tf.training.job import prepare
    from alexnet_tf.training.loop import train

    with TemporaryDirectory() as name:
        run, table = Run(Path(name) / "run"), Path(name) / "photos.csv"
        with open(table, "w", newline="", encoding="utf-8") as file:
            pairs = ((picture.path, f"class {picture.label}") for picture in chosen)
            csv.writer(file).writerows([("filename", "label"), *pairs])
        config = RECIPES["head"] | {
            "data": str(table), "weights": options.weights, "variant": options.variant,
            "features": options.features, "tensorboard": "off", "report": False, "keep": 1,
        }  # fmt: skip
        job = prepare(Settings(**config), run.directory)
        train(job, LOG)
        # With the precision that was chosen for this machine.
        job, engine = prepare(job.settings, run.directory), Engine.of_run(run)
        store = open_store(engine, job.settings)
        fill(job, store, test, LOG)
        answers, _ = predict_pictures(engine, engine.open_keras(), store, test)
        labels = answers.labels
        yield OURS, _figures(answers.probabilities, labels)
        if size <= MOST_SIMPLE:
            taught = np.array([picture.label for picture in chosen])
            for side, kind in SIMPLE.items():
                inputs = [_inputs(store, part, kind) for part in (chosen, test)]
                yield side, _figures(_regression(*inputs, taught), labels)


def _figures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    right = probabilities.argmax(axis=1) == labels
    return {"accuracy": float(right.mean()), "loss": log_loss(probabilities, labels)}


def _regression(inputs: np.ndarray, test: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Teach a LogisticRegression; return its probabilities for what is to be tested."""
    from sklearn.linear_model import LogisticRegression

    center = inputs.mean(axis=0)
    scale = (inputs - center).std() or 1
    head = LogisticRegression(C=STRENGTH / inputs.shape[1], max_iter=1000)
    head.fit((inputs - center) / scale, labels)
    return head.predict_proba((test - center) / scale)


def _inputs(store, pictures: Sequence[Picture], kind: str) -> np.ndarray:
    """Return the means of conv5's maxima, over all places or over the windows: (n, values)."""
    slots, variant = store.slots(pictures), store.variant
    found = []
    for chunk in np.array_split(slots, max(1, len(slots) // 128)):
        maxima = np.mean([store.read(chunk, v).astype("f4") for v in range(store.flips)], axis=0)
        if kind == "means":
            found.append(maxima.mean(axis=(1, 2)))
        else:
            seen = (maxima[:, r, c] for r, c in map(variant.window, range(variant.windows)))
            found.append(np.mean([*seen], axis=0).reshape(len(chunk), -1))
    return np.concatenate(found)


def _lines(results: Results, sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Yield a line of the table for each size: means of the draws, accuracy / loss."""
    for size in sizes:
        cells = [results.of(str(size), side) for side in (OURS, *SIMPLE)]
        if cells[0]:
            yield f"{size:,}", *(_cell(figures) if figures else "" for figures in cells)


def _cell(figures: Sequence[dict[str, float]]) -> str:
    accuracy, loss = (np.mean([each[name] for each in figures]) for name in ("accuracy", "loss"))
    return f"{accuracy:.3f} / {loss:.3f}"


def draw_curves(measured: dict[str, Results], sizes: Sequence[int], path: Path) -> None:
    """Draw the errors of each data set by the photos of a class, ours and the simple ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for color, (name, results) in enumerate(measured.items()):
        for side, style in zip((OURS, *SIMPLE), ("o-", ":", "--")):
            found = {size: results.of(str(size), side) for size in sizes}
            points = [
                (size, 100 * (1 - np.mean([each["accuracy"] for each in figures])))
                for size, figures in found.items()
                if figures
            ]
            label = f"{name}, {side}"
            axes.plot(*zip(*points), style, color=f"C{color}", label=label, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="photos of each class", ylabel="errors, %")
    for axis, ticks in ((axes.xaxis, sizes), (axes.yaxis, (3, 5, 10, 20, 30, 40))):
        axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        axis.set_ticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path)
    print(path)


if __name__ == "__main__":
    cli.run(main, "curve")
