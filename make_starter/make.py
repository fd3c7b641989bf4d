"""The starter in steps, each of which is kept: convolutions learn from ImageNet's (`distillation`),
then a head learns cats and dogs, by the command that a user types; both are measured."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from alexnet_tf.commands.compare import train_apart
from alexnet_tf.data.images.file_types import is_meant_as_picture
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.data.sources.listing import DATA_FOLDER
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.starter import FIGURES_PATH, NAME, VARIANT
from alexnet_tf.system.files import write_json, write_text
from alexnet_tf.system.text import markdown
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.formats.npz import write_int8, write_npz
from alexnet_tf.weights.loading import read_weights

TEACHER = "caffenet"
PETS = ("cat", "dog")
LISTS, RUN, WORK = DATA_FOLDER / "starter", Run("runs/starter"), Path("runs/distilled")
CONVOLUTIONS = WORK / "convolutions.npz"
SHARDS, EPOCHS = 20, 10
# Kept to measure with: pets of these numbers in the re-encoded sets, all originals but so many of
# each class, and all flowers but so many of each kind.
HELD_OUT = range(600, 1100)
SEEN_ORIGINALS, SEEN_FLOWERS = 500, 20
# Pictures of each class of CIFAR-10 that a head on the starter's convolutions is trained with.
SEEN_CIFAR = 100

Labelled = tuple[Path, str]


class Pictures(NamedTuple):
    """Pictures to learn from, by source with its share of the crops, and those kept to measure."""

    sources: dict[str, tuple[float, list[Labelled]]]
    held_out: list[Labelled]
    unseen: list[Labelled]
    flowers: list[Labelled]
    cifar: list[Labelled]
    neighbors: list[Path]


def find_pictures(folder: Path) -> Pictures:
    """Find the pictures in `folder`, and divide them: the same ones every time."""
    originals, kept = {}, {}
    for label in PETS:
        photos = sorted(_pets(folder / "dogs-vs-cats", label), key=_number)
        seen = Random(0).sample(photos, min(SEEN_ORIGINALS, len(photos)))
        originals[label], kept[label] = seen, [path for path in photos if path not in {*seen}]
    small, large = (
        [(path, label) for label in PETS for path in sorted(_pets(folder / name, label))]
        for name in ("dogs-vs-cats-144", "dogs-vs-cats-256")
    )
    flowers = [*_of_classes(folder / "flowers", slice(None, SEEN_FLOWERS))]
    sources = {
        "small": (0.36, [each for each in small if _number(each[0]) not in HELD_OUT]),
        "large": (0.26, [each for each in large if _number(each[0]) not in HELD_OUT]),
        "originals": (0.08, _labelled(originals)),
        "cifar": (0.14, [*_of_classes(folder / "cifar10/train")]),
        "flowers": (0.16, flowers),
    }
    return Pictures(
        sources,
        [each for each in large if _number(each[0]) in HELD_OUT],
        _labelled(kept),
        [*_of_classes(folder / "flowers", slice(SEEN_FLOWERS, None))],
        [*_of_classes(folder / "cifar10/test")],
        sorted(filter(is_meant_as_picture, (folder / "imagenet-samples").iterdir())),
    )


def _pets(folder: Path, label: str) -> list[Path]:
    photos = list(folder.glob(f"{label}.*.jpg"))
    if not photos:
        raise UserError(f"{folder}: has no {label}.N.jpg; name a folder of Kaggle's photos")
    return photos


def _number(path: Path) -> int:
    return int(path.name.split(".")[1])


def _labelled(photos: dict[str, list[Path]]) -> list[Labelled]:
    return [(path, label) for label in photos for path in photos[label]]


def _of_classes(folder: Path, part: slice = slice(None)) -> Iterator[Labelled]:
    """Yield the `part` of the pictures in each of the folders in `folder`."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    for each in sorted(filter(Path.is_dir, folder.iterdir())):
        yield from ((path, each.name) for path in sorted(each.iterdir())[part])


def make(pictures: Pictures, teacher: Path) -> None:
    """Distill the convolutions, train a head, keep both as int8, and measure them."""
    if not CONVOLUTIONS.is_file():
        write_npz(distill(pictures, teacher), None, CONVOLUTIONS)
    pets = [each for name in ("small", "large", "originals") for each in pictures.sources[name][1]]
    train_head("pets", pets, pictures.held_out, CONVOLUTIONS, VARIANT, RUN)
    publish(RUN)
    write_json(FIGURES_PATH, figures(pictures, teacher))


def distill(pictures: Pictures, teacher: Path) -> dict[str, Any]:
    """Train the convolutions."""
    from make_starter.distillation import distill, write_crops

    sources = [*pictures.sources.values()]
    classes = [*dict.fromkeys(label for _, source in sources for _, label in source)]
    numbered = [
        (share, [(path, classes.index(label)) for path, label in source])
        for share, source in sources
    ]
    student = get_variant(VARIANT)
    write_crops(numbered, teacher, get_variant(TEACHER), student, WORK / "crops", SHARDS)
    return distill(WORK / "crops", student, len(classes), EPOCHS, WORK)


def train_head(
    name: str,
    train: Sequence[Labelled],
    test: Sequence[Labelled],
    weights: str | Path,
    variant: str,
    run: Run,
) -> None:
    """Train on the lists `name` by default settings, unless `run` is finished."""
    _list(f"{name}/train", train)
    _list(f"{name}/val", test)
    if run.model_path.is_file():
        return
    options = {"data": LISTS / name, "weights": weights, "variant": variant, "run": run.directory}
    if train_apart(options):
        raise RunError(f"{run.directory}: that training did not finish; type the command again")


def publish(run: Run) -> None:
    """Put the finished `run` in the place of the starter."""
    write_int8(read_weights(run.model_path), STARTER_RUN.model_path)
    for name in ("config.json", "history.csv", "classes.txt"):
        shutil.copy(run.directory / name, STARTER_RUN.directory)


def figures(pictures: Pictures, teacher: Path) -> dict[str, Any]:
    """Measure what the card says, and print it."""
    found = {
        "validation": _accuracy([RUN, STARTER_RUN], LISTS / "pets/val.txt"),
        "originals": _accuracy([RUN, STARTER_RUN], _list("originals", pictures.unseen)),
    }
    cifar = _first(pictures.sources["cifar"][1], SEEN_CIFAR)
    trained = {"flowers": (pictures.sources["flowers"][1], pictures.flowers)}
    trained["cifar"] = (cifar, pictures.cifar)
    for name, (train, test) in trained.items():
        for weights, variant in ((NAME, VARIANT), (NAME, NAME), (teacher, TEACHER)):
            run = Run(WORK / f"{name}-{variant}")
            train_head(name, train, test, weights, variant, run)
            found[f"{name}, {variant}"] = _accuracy([run], LISTS / name / "val.txt")
    agreed = agreement(pictures.neighbors, (NAME, VARIANT), (teacher, TEACHER))
    found["neighbors"] = {"pictures": len(pictures.neighbors), "accuracy": agreed}
    rows = [
        (name, f"{each['accuracy']:.3f}", f"{each['pictures']:,}") for name, each in found.items()
    ]
    print(markdown([("measured on", "accuracy", "pictures"), *rows]))
    return found


def _list(name: str, photos: Sequence[Labelled]) -> Path:
    listed = LISTS / f"{name}.txt"
    write_text(listed, "".join(f"{path} {label}\n" for path, label in photos))
    return listed


def _first(pictures: Sequence[Labelled], count: int) -> list[Labelled]:
    by_class: dict[str, list[Labelled]] = {}
    for each in pictures:
        by_class.setdefault(each[1], []).append(each)
    return [each for one in by_class.values() for each in one[:count]]


def _accuracy(runs: Sequence[Run], photos: Path) -> dict[str, Any]:
    """Measure the last of `runs`; the first is the same before int8."""
    evaluation = evaluate_runs(runs, str(photos))
    accuracies = [evaluation.accuracy(predictions) for predictions in evaluation.predictions]
    found = {"pictures": len(evaluation.labels), **accuracies[-1]}
    return found | ({"float32": accuracies[0]["accuracy"]} if len(runs) > 1 else {})


def agreement(
    photos: Sequence[Path], one: tuple[str | Path, str], other: tuple[str | Path, str]
) -> float:
    """Return the share of photos whose nearest neighbor by the convolutions of `one`, weights and
    variant, is among the five nearest by those of `other`."""
    nearest = _neighbors(photos, *one)[:, 0]
    return float(np.mean((nearest == _neighbors(photos, *other)[:, :5].T).any(axis=0)))


def _neighbors(photos: Sequence[Path], weights: str | Path, variant: str) -> np.ndarray:
    """Return the numbers of the other photos, the nearest first, of each photo."""
    from make_starter.distillation import last_convolution, pool

    images = np.stack([load_image(path, variant) for path in photos])
    features = pool(last_convolution(weights, get_variant(variant), len(images))(images))
    features -= features.mean(axis=0)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    similarities = features @ features.T
    np.fill_diagonal(similarities, -np.inf)
    return np.argsort(-similarities, axis=1)
