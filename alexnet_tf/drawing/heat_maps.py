"""Preprocessed pictures, and the same under the heat maps of their predictions."""

from collections.abc import Sequence

import keras
import numpy as np

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_batches, preprocess_input
from alexnet_tf.gradcam import grad_cam, overlay
from alexnet_tf.variants import Variant


def heat_maps(
    network: keras.Model,
    variant: Variant,
    resize: str,
    paths: Sequence[str],
    predicted: Sequence[int] | np.ndarray,
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Draw the Grad-CAM heat maps of the classes `predicted` for the pictures at `paths`.

    Returns index → (preprocessed picture, the same under its heat map), uint8 RGB, of those that
    can be read.
    """
    (loaded,) = load_batches([paths], variant, resize) if paths else ([],)
    pictures = {n: each[0] for n, each in enumerate(loaded) if not isinstance(each, ImageError)}
    if not pictures:
        return {}
    inputs = preprocess_input(np.stack([*pictures.values()]), variant)
    heat = grad_cam(network, inputs, np.array(predicted)[[*pictures]])
    return {
        number: (picture, overlay(picture, each))
        for (number, picture), each in zip(pictures.items(), heat)
    }
