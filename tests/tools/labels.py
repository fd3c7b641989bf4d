"""Plant wrong labels, train on them, and see how many of them a report finds.

Beside the list of the report stands what is usual: the pictures of the highest loss, as many of
them. Type `python -m tests.tools.labels PICTURES --weights FILE --variant NAME --out DIR`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.evaluation.label_errors import out_of_fold_predictions
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.predictions import open_store, predict_pictures, vectors
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.runs.pictures import started_pictures
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.text import markdown
from benchmarks.process import run_python

QUICK = (
    "{photos}",
    "--weights",
    "starter",
    "--variant",
    "starter",
    "--out",
    "{scratch}",
    "--epochs",
    "1",
)
SHARE = 0.02


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", metavar="PICTURES", help="as --data of train_alexnet.py")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--out", required=True, type=Path, help="for lists, features and runs")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    rows = [row for seed in range(options.seeds) for row in measure(options, seed)]
    means = {
        name: np.mean([figures for each, figures in rows if each == name], axis=0)
        for name, _ in rows
    }
    columns = ("list", "pictures in it", "precision", "recall", "average precision")
    lines = [
        (name, f"{count:.1f}", *(f"{figure:.3f}" for figure in figures))
        for name, (count, *figures) in means.items()
    ]
    print(markdown([columns, *lines]))


def measure(options: argparse.Namespace, seed: int) -> list[tuple[str, tuple[float, ...]]]:
    """Train on labels of which some are wrong; return what each way to find these comes to."""
    folder = options.out / str(seed)
    true = open_dataset(options.pictures)
    wrong = plant(true, folder, seed)
    run = Run(folder / "run")
    run_python(
        "train_alexnet.py", "--data", folder / "train.txt", "--run", run.directory,
        "--weights", options.weights, "--variant", options.variant, "--epochs", options.epochs,
        "--features", options.out / "features", "--log", folder / "log",
    )  # fmt: skip
    settings, engine = Settings(**run.read_config()["settings"]), Engine.of_run(run)
    store, dataset = open_store(engine, settings), started_pictures(run)
    pictures = [*dataset.train, *dataset.validation]
    predictions, _ = predict_pictures(engine, engine.open_keras(), store, pictures)
    unseen = out_of_fold_predictions(engine.classes, pictures, vectors(store, pictures))
    planted = np.array([picture.digest in wrong for picture in pictures])
    listed = {path for path, _ in read_list(run.label_errors_path)}
    is_listed = np.array([picture.path in listed for picture in pictures])
    losses = doubts(predictions)
    highest = np.argsort(-losses, kind="stable")[: len(listed)]
    return [
        ("suspects.csv", figures(is_listed, planted, doubts(unseen))),
        ("the highest losses", figures(np.isin(np.arange(len(losses)), highest), planted, losses)),
    ]


def plant(true: Dataset, folder: Path, seed: int) -> set[str]:
    """Write lists of the pictures with some wrong labels; return the digests of those."""
    pictures = [*true.train, *true.validation]
    random = np.random.default_rng(seed)
    chosen = {*random.choice(len(pictures), round(SHARE * len(pictures)), replace=False)}
    for number in chosen:
        others = [label for label in range(len(true.classes)) if label != pictures[number].label]
        pictures[number] = replace(pictures[number], label=int(random.choice(others)))
    split = len(true.train)
    write_lists(
        replace(true, train=tuple(pictures[:split]), validation=tuple(pictures[split:])), folder
    )
    return {pictures[number].digest for number in chosen}


def doubts(predictions: LabelledPredictions) -> np.ndarray:
    """Return −ln of the probability that each picture is what it is labelled, (pictures,)."""
    right = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    return -np.log(np.maximum(right, 1e-12))


def figures(listed: np.ndarray, planted: np.ndarray, ranking: np.ndarray) -> tuple[float, ...]:
    """Return how many are listed, precision, recall, and the ranking's average precision."""
    hits = (listed & planted).sum()
    return (
        float(listed.sum()),
        float(hits / max(1, listed.sum())),
        float(hits / planted.sum()),
        float(average_precision_score(planted, ranking)),
    )


if __name__ == "__main__":
    cli.run(main, "labels")
