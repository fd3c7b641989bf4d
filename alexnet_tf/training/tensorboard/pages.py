"""Pages of predictions: mistakes, and Grad-CAM heat maps."""

import os
from collections.abc import Sequence
from functools import lru_cache

import keras
import numpy as np
from PIL import Image

from alexnet_tf.drawing.fonts import is_drawable
from alexnet_tf.drawing.heat_maps import heat_maps
from alexnet_tf.drawing.sheets import MISSING, Tile, tile_sheet
from alexnet_tf.drawing.thumbnails import load_thumbnails
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.variants import Variant

# In pixels: side of a picture on a page, alone and beside its heat map, and the gap between two.
SIDE, BESIDE, GAP = 108, 82, 6
# TensorBoard scales wider pictures down, and their text becomes illegible.
WIDTH = 350


def mistakes_page(
    predictions: LabelledPredictions, numbers: np.ndarray | Sequence[int]
) -> Image.Image:
    """Lay out the pictures of these numbers, with their predictions and file names."""
    loaded = _load(tuple(predictions.pictures[number].path for number in numbers), SIDE)
    tiles = [Tile(*each) for each in zip(loaded, (_caption(predictions, n) for n in numbers))]
    return _page([tile for tile in tiles if tile.picture], (SIDE, SIDE))


# The same mistakes are made again in the next epoch.
_load = lru_cache(maxsize=4)(load_thumbnails)


def grad_cam_page(
    predictions: LabelledPredictions,
    numbers: Sequence[int],
    network: keras.Model,
    variant: Variant,
    resize: str,
) -> Image.Image:
    """Lay out the same preprocessed, beside each its heat map."""
    paths = [predictions.pictures[number].path for number in numbers]
    found = heat_maps(network, variant, resize, paths, predictions.predicted[numbers])
    tiles = [
        Tile(Image.fromarray(np.hstack(pair)), _caption(predictions, numbers[index]))
        for index, pair in found.items()
    ]
    return _page(tiles, (2 * BESIDE, BESIDE))


def _page(tiles: Sequence[Tile], size: tuple[int, int]) -> Image.Image:
    """Lay out tiles of `size` in rows of at most `WIDTH` pixels; a grey page if there are none."""
    columns = WIDTH // (size[0] + GAP)
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    return tile_sheet(rows, size, GAP) if rows else Image.new("RGB", size, MISSING)


def _caption(predictions: LabelledPredictions, number: int) -> tuple[str, str, str]:
    prediction, label = predictions.predicted[number], predictions.labels[number]
    names = drawn_names(predictions.classes)
    return (
        f"{names[prediction]} {predictions.confidence[number]:.0%}",
        "correct" if prediction == label else f"is {names[label]}",
        os.path.basename(predictions.pictures[number].path),
    )


@lru_cache(maxsize=1)
def drawn_names(classes: tuple[str, ...]) -> list[str]:
    """Return names that a picture can show: a number for those in scripts that its font lacks."""
    return [name if is_drawable(name) else f"class {n}" for n, name in enumerate(classes)]


def described(predictions: LabelledPredictions, numbers: np.ndarray | Sequence[int]) -> str:
    """Say, for the text beside a picture, which names the numbers in it stand for, if any do."""
    classes = predictions.classes
    labels = {*predictions.labels[numbers], *predictions.predicted[numbers]}
    others = [label for label in sorted(labels) if not is_drawable(classes[label])]
    return ", ".join(f"class {label} is {classes[label]}" for label in others)
