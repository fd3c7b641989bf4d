"""What the feature store of a run holds of its pictures, once the training is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.calibration import mean_probabilities
from alexnet_tf.runs.settings import Settings

# Pictures that are read at a time.
PORTION = 256
# Whole pictures are compared by so many places in a row and in a column.
SIDE = 8


def open_store(engine: Engine, settings: Settings) -> FeatureStore | None:
    """Open the store of what a finished run trained its head on, or None where that is gone.

    The layers below are frozen, so those of the finished network tell which store it is.
    """
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


def cached_predictions(model, store: FeatureStore, pictures: Sequence[Picture]) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), that a Keras `model` gives pictures of which
    the store has what enters one of its layers."""
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


def _logits(head, values: np.ndarray) -> np.ndarray:
    """Return the logits of what enters a `head`, of each picture's windows one after the other."""
    values = values.astype(np.float32)
    if len(head.input_shape) == 2:
        values = values.reshape(-1, values.shape[-1])
    return head.predict_on_batch(values)


def vectors(store: FeatureStore, pictures: Sequence[Picture]) -> np.ndarray:
    """Return a vector for each picture, float32 (n, values), of mean 0 and of deviation 1 in all.

    It is the mean over all places of a layer, and over the picture and its mirror image; of whole
    pictures it is a small one.
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
    if (
        store.has_windows and store.layer == "fc6"
    ):  # maxima that overlap: every second place will do
        values = values[:, ::2, ::2]
    channels = store.variant.filters[-1] if store.layer == "fc6" else store.shape[-1]
    return values.reshape(len(values), -1, channels).mean(axis=1, dtype=np.float32)


def _portions(
    store: FeatureStore, pictures: Sequence[Picture], view: int = 0
) -> Iterator[np.ndarray]:
    slots = store.slots(pictures)
    for start in range(0, len(slots), PORTION):
        yield store.read(slots[start : start + PORTION], view)
