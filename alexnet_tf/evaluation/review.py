"""All data of a finished run's report."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from alexnet_tf.data.dataset import Dataset
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.duplicates import Duplicate, find_duplicates
from alexnet_tf.evaluation.label_errors import (
    LabelError,
    find_label_errors,
    out_of_fold_predictions,
)
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.predictions import open_store, predict_pictures, vectors
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.runs.history import History, best_epoch, read_history
from alexnet_tf.runs.pictures import started_pictures
from alexnet_tf.runs.predictions import read_predictions
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings


@dataclass(frozen=True)
class Review:
    """A finished `run`: its settings, data, predictions and analyses.

    `dataset` is as at the start of the run; `predictions` are for its validation pictures, `test`
    for its test set, if any; `failed` pictures of both could not be read. `label_errors` were
    searched for among `label_errors_among` pictures; `duplicates` is None if there are no vectors
    to find them by. `network` is the Keras model.
    """

    run: Run
    config: dict[str, Any]
    settings: Settings
    history: History
    dataset: Dataset
    engine: Engine
    network: keras.Model
    predictions: LabelledPredictions
    test: LabelledPredictions | None
    failed: int
    label_errors: list[LabelError]
    label_errors_among: int
    duplicates: list[Duplicate] | None

    @property
    def best(self) -> int | None:
        """The epoch of the run's network; None for an average of several epochs, or an old run."""
        if self.settings.average or not self.history:
            return None
        return best_epoch(self.history, self.settings.best)


def review(run: Run, thoroughly: bool = True) -> Review:
    """Evaluate a finished run on its own pictures; `thoroughly` includes label errors and near
    duplicates, which take longest.

    UserError if files of the run are missing or damaged, or no validation picture can be read.
    """
    config = run.read_config()
    settings, engine = Settings(**config["settings"]), Engine.of_run(run)
    dataset, network = started_pictures(run), engine.open_keras()
    store = open_store(engine, settings)
    kept = read_predictions(run, len(dataset.validation), len(engine.classes))
    if kept is None:
        predictions, failed = predict_pictures(engine, network, store, dataset.validation)
    else:
        predictions = LabelledPredictions(engine.classes, tuple(dataset.validation), *kept)
        failed = 0
    if not predictions.pictures:
        raise UserError(
            f"{run.directory}: none of its {len(dataset.validation)} validation pictures can be "
            "read any more, and a report shows what the run makes of them; ask in the folder where "
            "it was trained"
        )
    test, lost = (
        predict_pictures(engine, network, store, dataset.test) if dataset.test else (None, 0)
    )
    unseen, duplicates = predictions, None
    pictures = tuple(dataset.labelled())
    if thoroughly and store and not store.missing(pictures):
        found = vectors(store, pictures)
        duplicates = find_duplicates(pictures, found)
        # Trained convolutions have learned the labels, so that predictions from them are not
        # out-of-fold.
        if store.layer != "conv1":
            unseen = out_of_fold_predictions(engine.classes, pictures, found)
    return Review(
        run,
        config,
        settings,
        read_history(run)[: settings.epochs],
        dataset,
        engine,
        network,
        predictions,
        test if test and test.pictures else None,
        failed + lost,
        find_label_errors(unseen) if thoroughly else [],
        len(unseen.pictures),
        duplicates,
    )


def counts(found: Review) -> list[tuple[Any, ...]]:
    """Count the pictures of each class: its name, training, validation and test pictures."""
    classes = found.dataset.classes
    columns = [
        np.bincount([picture.label for picture in part], minlength=len(classes)).tolist()
        for part in (found.dataset.train, found.dataset.validation, found.dataset.test)
    ]
    return list(zip(classes, *columns))
