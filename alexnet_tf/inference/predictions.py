"""Predictions of a finished network for labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Picture
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.inference.cached import cached_predictions
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.system.progress import progress


def predict_pictures(
    engine: Engine, model: Any, store: FeatureStore | None, pictures: Sequence[Picture]
) -> tuple[LabelledPredictions, int]:
    """Predict `pictures`; return the predictions, and how many pictures could not be read.

    If an open `store` has all pictures, the Keras `model` predicts from it without reading a file;
    otherwise the `engine` predicts from the files.
    """
    pictures = tuple(pictures)
    if store and pictures and not store.missing(pictures):
        return LabelledPredictions(
            engine.classes, pictures, cached_predictions(model, store, pictures)
        ), 0
    found = Classifier([engine]).probabilities([picture.path for picture in pictures])
    results = list(zip(pictures, progress(found, len(pictures), "predicting")))
    read = [
        (each, probabilities_[0])
        for each, probabilities_ in results
        if not isinstance(probabilities_, ImageError)
    ]
    probabilities = np.array([probabilities_ for _, probabilities_ in read], np.float32)
    predictions = LabelledPredictions(
        engine.classes,
        tuple(picture for picture, _ in read),
        probabilities.reshape(len(read), len(engine.classes)),
    )
    return predictions, len(results) - len(read)
