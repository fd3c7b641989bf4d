"""Predictions of labelled pictures, and vectors, from cached features where there are any."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.calibration import mean_probabilities
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.progress import progress

# Pictures read at a time.
PORTION = 256
# Side of the grid of pixels by which stored pictures are compared.
SIDE = 8


def open_store(engine: Engine, settings: Settings) -> FeatureStore | None:
    """Open the store that a finished run trained its head on, identified by the frozen layers below
    the head; None if it no longer exists."""
    variant, layer = settings.chosen_variant(), settings.first_computed()
    if layer == "conv1":
        side = variant.picture_size
        store = FeatureStore.of_pictures(settings.features, variant, settings.resize, side)
    else:
        store = FeatureStore.of_layer(
            settings.features,
            variant,
            settings.resize,
            engine.weights.layers,
            layer,
            settings.mirror,
            settings.precision,
        )
    return store.open() if store.directory.is_dir() else None


def predict_pictures(
    engine: Engine, model: Any, store: FeatureStore | None, pictures: Sequence[Picture]
) -> tuple[LabelledPredictions, int]:
    """Predict `pictures`; return the predictions, and how many pictures could not be read. The
    Keras `model` predicts from an open `store` that has them all, otherwise the `engine` from the
    files."""
    pictures = tuple(pictures)
    if store and pictures and not store.missing(pictures):
        probabilities = cached_predictions(model, store, pictures)
        return LabelledPredictions(engine.classes, pictures, probabilities), 0
    found = Classifier([engine]).probabilities([picture.path for picture in pictures])
    read, rows = [], [np.empty((0, len(engine.classes)), np.float32)]
    for picture, row in zip(pictures, progress(found, len(pictures), "predicting")):
        if not isinstance(row, ImageError):
            read.append(picture)
            rows.append(row)
    predictions = LabelledPredictions(engine.classes, tuple(read), np.concatenate(rows))
    return predictions, len(pictures) - len(read)


def cached_predictions(model: Any, store: FeatureStore, pictures: Sequence[Picture]) -> np.ndarray:
    """Predict pictures from the inputs of a layer that the store holds: the probabilities of the
    Keras `model`, float32 (n, classes)."""
    if store.layer == "conv1":
        found = [
            model.predict_on_batch(preprocess_input(pictures, store.variant))
            for pictures in _portions(store, pictures)
        ]
        return np.concatenate(found)
    from alexnet_tf.model import part  # which imports TensorFlow

    variant, classes = store.variant, model.output_shape[-1]
    head = part(
        model, "windows" if variant.scaled and store.layer == "fc6" else store.layer, "prob"
    )
    found = []
    for views in zip(*(_portions(store, pictures, view) for view in range(1 + variant.mirrored))):
        # (views, n, windows, classes)
        logits = np.stack(
            [_logits(head, values).reshape(len(values), -1, classes) for values in views]
        )
        logits = np.moveaxis(logits, 2, 1).reshape(-1, len(views[0]), logits.shape[-1])
        found.append(mean_probabilities(logits))
    return np.concatenate(found).astype(np.float32)


def _logits(head: Any, values: np.ndarray) -> np.ndarray:
    """Return the logits of a `head` for its inputs; the windows of each picture are adjacent."""
    values = values.astype(np.float32)
    if len(head.input_shape) == 2:
        values = values.reshape(-1, values.shape[-1])
    return head.predict_on_batch(values)


def vectors(store: FeatureStore, pictures: Sequence[Picture]) -> np.ndarray:
    """Return a vector per picture, float32 (n, values): mean 0, overall standard deviation 1.

    It is the layer's spatial mean, averaged over the picture and its mirror image; for a store of
    whole pictures, a small grey version.
    """
    views = [
        np.concatenate([_means(values, store) for values in _portions(store, pictures, view)])
        for view in range(store.flips)
    ]
    found = np.mean(views, axis=0)
    found -= found.mean(axis=0)
    return found / (found.std() or 1)


def _means(values: np.ndarray, store: FeatureStore) -> np.ndarray:
    if store.layer == "conv1":
        places = np.linspace(0, values.shape[1], 2 * SIDE + 1).astype(int)[1::2]
        grey = values[:, places][:, :, places].mean(axis=-1, dtype=np.float32)
        return (grey + grey[:, :, ::-1]).reshape(len(values), -1)
    if store.has_windows and store.layer == "fc6":  # overlapping maxima: every second one suffices
        values = values[:, ::2, ::2]
    channels = store.variant.filters[-1] if store.layer == "fc6" else store.shape[-1]
    return values.reshape(len(values), -1, channels).mean(axis=1, dtype=np.float32)


def _portions(
    store: FeatureStore, pictures: Sequence[Picture], view: int = 0
) -> Iterator[np.ndarray]:
    slots = store.slots(pictures)
    for start in range(0, len(slots), PORTION):
        yield store.read(slots[start : start + PORTION], view)
