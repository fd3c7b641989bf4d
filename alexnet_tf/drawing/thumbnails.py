"""Thumbnails for a page, embedded as data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from PIL import Image

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.gradcam import grad_cam, overlay
from alexnet_tf.system.processor import processors
from alexnet_tf.variants import Variant

# Longer side in pixels, and JPEG quality: about five kilobytes.
SIDE, QUALITY = 160, 75


def thumbnails(paths: Iterable[str]) -> dict[str, str]:
    """Return path → data URL of thumbnails; pictures that cannot be read are left out."""
    paths = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(processors()) as pool:
        found = dict(zip(paths, pool.map(_thumbnail, paths)))
    return {path: address for path, address in found.items() if address}


def heat_maps(
    network: keras.Model,
    variant: Variant,
    resize: str,
    paths: Sequence[str],
    predicted: Sequence[int],
) -> dict[str, str]:
    """Return path → data URL of each preprocessed picture, with its prediction's heat map on it.

    Pictures that cannot be read are left out.
    """
    with ThreadPoolExecutor(processors()) as pool:
        loaded = list(pool.map(lambda path: _load(path, variant, resize), paths))
    asked = [each for each in zip(paths, predicted, loaded) if each[2] is not None]
    if not asked:
        return {}
    paths, predicted, pictures = zip(*asked)
    inputs = preprocess_input(np.stack(pictures), variant)
    heat = grad_cam(network, inputs, np.array(predicted))
    return {
        path: _address(Image.fromarray(overlay(picture, each)))
        for path, picture, each in zip(paths, pictures, heat)
    }


def _load(path: str, variant: Variant, resize: str) -> np.ndarray | None:
    try:
        return load_image(path, variant, resize)
    except ImageError:
        return None


def _thumbnail(path: str) -> str | None:
    try:
        with decoded(path, 2 * SIDE) as (picture, _):
            return _address(picture)
    except ImageError:
        return None


def _address(picture: Image.Image) -> str:
    share = min(1.0, SIDE / max(picture.size))
    size = [max(1, round(share * side)) for side in picture.size]
    small, content = picture.resize(size, Image.Resampling.BILINEAR), io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
