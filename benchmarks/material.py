"""Photos, weights and runs to measure with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet_tf.data.dataset import Dataset, Picture, open_dataset, write_lists
from alexnet_tf.errors import UserError
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.text import printable
from alexnet_tf.variants import Variant, get_variant
from benchmarks.process import Ended, run_python
from benchmarks.row import Place

JPEG_START, JPEG_COMMENT = b"\xff\xd8", b"\xff\xfe"


def default_material() -> tuple[str, str, str]:
    """Name photos, weights and their variant: in ALEXNET_TF_MATERIAL, else as `make` has them."""
    material = os.environ.get("ALEXNET_TF_MATERIAL")
    if not material:
        return Settings().data, Settings().weights, Settings().variant
    weights = Path(material, "weights/alexnet_pool_norm_conv.npy")
    return str(Path(material, "data/dogs-vs-cats")), str(weights), "caffenet"


def write_photos(photos: Path, count: int, folder: Path) -> Path:
    """Write `count` JPEG files, no two with the same bytes, made from `photos`; return train.txt.

    ``folder/photos/LABEL/N.jpg`` are copies of all photos in turn, each with a comment of its own;
    train.txt, val.txt and classes.txt in `folder` keep every copy on the side of its original.
    Raises UserError for a photo that is no JPEG file.
    """
    dataset = open_dataset(photos)
    held_out = set(dataset.validation)
    originals = [*dataset.train, *dataset.validation]
    # Mixed, so that the first of them have every class, and 15% to validate with.
    order = np.random.default_rng(0).permutation(len(originals))
    sides: tuple[list[Picture], list[Picture]] = [], []
    for label in range(len(dataset.classes)):
        (folder / "photos" / str(label)).mkdir(parents=True)
    for number in range(count):
        picture = originals[order[number % len(order)]]
        path = folder / "photos" / str(picture.label) / f"{number}.jpg"
        path.write_bytes(_commented(picture.path, number))
        sides[picture in held_out].append(replace(picture, path=str(path)))
    write_lists(Dataset(dataset.classes, tuple(sides[0]), tuple(sides[1])), folder)
    return folder / "train.txt"


def _commented(path: str, number: int) -> bytes:
    """Read the JPEG file `path` with `number` as a comment: the same picture in other bytes."""
    content = Path(path).read_bytes()
    if not content.startswith(JPEG_START):
        raise UserError(f"{printable(path)}: is no JPEG file, as photos to measure with should be")
    comment = number.to_bytes(8, "big")
    length = (len(comment) + 2).to_bytes(2, "big")
    return JPEG_START + JPEG_COMMENT + length + comment + content[len(JPEG_START) :]


def write_random_convolutions(path: Path, variant: str | Variant = "bvlc", seed: int = 0) -> None:
    """Write conv1 … conv5 in the layout of bvlc_alexnet.npy, Gaussian with He's deviation."""
    random = np.random.default_rng(seed)
    layers = {}
    for name, shape in get_variant(variant).conv_kernels().items():
        deviation = np.sqrt(2 / np.prod(shape[:3]))  # He 2015, equation 10
        kernel = random.normal(0, deviation, shape).astype(np.float32)
        layers[name] = [kernel, np.zeros(shape[3], np.float32)]
    with atomic_write(path, sum(kernel.nbytes for kernel, _ in layers.values())) as temporary:
        np.save(temporary, np.array(layers, dtype=object))


def train(place: Place, data: Path, folder: Path, *options: object) -> Ended:
    """Train on `data` by the command that a user types; features, run and log go into `folder`.

    Without a report: the usual recipes leave none.
    """
    return run_python(
        "train_alexnet.py",
        "--no-report",
        *("--data", data, "--weights", place.weights, "--variant", place.variant),
        *("--run", folder / "run", "--features", folder / "features"),
        *("--log", folder / "train_alexnet.log"),
        *options,
    )


def train_a_little(place: Place) -> None:
    """Train a run in ``place.folder/run`` that is good for nothing but to be asked."""
    train(place, write_photos(place.photos, 100, place.folder), place.folder, "--epochs", 1)
