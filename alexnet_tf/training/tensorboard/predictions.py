"""Pages of predictions that are worth a look: mistakes, and where the network looks."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras
import numpy as np
from PIL import Image

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_batches, preprocess_input
from alexnet_tf.gradcam import grad_cam, overlay
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.training.tensorboard.pictures import Captioned, sheet, thumbnails
from alexnet_tf.variants import Variant

# Pixels: the side of a picture on a page, and where another is beside it.
SIDE, BESIDE = 108, 82


def mistakes_page(
    predictions: LabelledPredictions, numbers: np.ndarray | Sequence[int]
) -> Image.Image:
    """Lay out the pictures of these numbers, with what was answered and their files' names."""
    loaded = thumbnails([predictions.pictures[number].path for number in numbers], SIDE)
    return sheet(
        [
            Captioned(*each)
            for each in zip(loaded, (_caption(predictions, number) for number in numbers))
        ],
        SIDE,
    )


def grad_cam_page(
    predictions: LabelledPredictions,
    numbers: np.ndarray | Sequence[int],
    network: keras.Model,
    variant: Variant,
    resize: str,
) -> Image.Image:
    """Lay out the same as the network sees them, beside each where it sees what it answered."""
    paths = [predictions.pictures[number].path for number in numbers]
    (loaded,) = load_batches([paths], variant, resize)
    read = [place for place, each in enumerate(loaded) if not isinstance(each, ImageError)]
    if not read:
        return sheet([], SIDE)
    numbers, seen = np.array(numbers)[read], np.concatenate([loaded[place] for place in read])
    heat = grad_cam(network, preprocess_input(seen, variant), predictions.predicted[numbers])
    cells = [
        Captioned(_side_by_side(picture, overlay(picture, each)), _caption(predictions, number))
        for picture, each, number in zip(seen, heat, numbers)
    ]
    return sheet(cells, 2 * BESIDE)


def _caption(predictions: LabelledPredictions, number: int) -> tuple[str, str]:
    prediction, label = predictions.predicted[number], predictions.labels[number]
    said = f"{predictions.classes[prediction]} {predictions.probabilities[number, prediction]:.0%}"
    truth = "" if prediction == label else f", is {predictions.classes[label]}"
    return said + truth, os.path.basename(predictions.pictures[number].path)


def _side_by_side(*pictures: np.ndarray) -> Image.Image:
    """Join pictures of one size, uint8 RGB, from left to right, each `BESIDE` pixels wide."""
    size = (BESIDE * len(pictures), BESIDE)
    return Image.fromarray(np.hstack(pictures)).resize(size, Image.Resampling.BILINEAR)
