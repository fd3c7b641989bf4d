"""A random search over settings of the head, each trial cross-validated on stored features."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from logging import Logger
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data.dataset import Dataset, to_columns
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.runs.history import best_epoch, is_early_enough
from alexnet_tf.runs.settings import LINEAR, RANDOM
from alexnet_tf.system import signals
from alexnet_tf.training.frozen import with_features
from alexnet_tf.training.job import Job
from alexnet_tf.training.linear import LinearTrainer, folds
from alexnet_tf.training.resolve import chosen_variant
from alexnet_tf.training.trainer import Trainer

# The values that trials are drawn from: about the defaults of training and of the paper.
SPACE: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.003, 0.005, 0.01, 0.02, 0.03),
    "weight_decay": (0.0, 0.0005, 0.002, 0.005),
    "dropout": (0.2, 0.35, 0.5, 0.65),
    "units": (256, 512, 1024, 2048),
}
METRICS = ("val_accuracy", "val_balanced_accuracy", "val_loss", "seconds")


@dataclass(frozen=True)
class Trial:
    """The `settings` that a trial changed, and the means over its folds of the METRICS of each
    fold's best epoch; `seconds` are those of all epochs of all folds."""

    settings: dict[str, Any]
    metrics: dict[str, float]


def settings_of_trials(job: Job, number: int, fixed: Collection[str]) -> list[dict[str, Any]]:
    """Return the settings that each trial changes: none in the first, which is as `train` would do;
    then `number` random ones, which leave those in `fixed` as they are.

    Trials change fc6 and fc7 also where `train` would choose a linear head, whose only setting it
    cross-validates anyway. Raises UserError where nothing is left to change.
    """
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    settings, space = job.settings, dict(SPACE)
    if settings.first_computed() == "conv1":
        raise UserError(
            "tune trains on features that are computed once; with --train all, or with pictures "
            "that change in every epoch, there are none"
        )
    if "head" in fixed and settings.head == LINEAR:
        raise UserError(
            f"--head {LINEAR}: each training cross-validates its only setting; leave --head out to "
            "compare it with fc6 and fc7"
        )
    head: dict[str, Any] = {"head": RANDOM} if settings.head == LINEAR else {}
    variant = replace(settings, **head).chosen_variant()
    if "drop" not in variant.head or settings.first_trained() == "fc8":
        del space["dropout"]
    if "fc6" in job.weights:  # which has its units
        del space["units"]
    space = {name: space[name] for name in space if name not in fixed}
    if not space:
        raise UserError("every setting that tune changes is given: leave one of them out")
    count = min(number, len(ParameterGrid(space)))
    drawn = list(ParameterSampler(space, count, random_state=settings.seed))
    return [{}, *(head | {name: one[name] for name in space} for one in drawn)]


def tune(job: Job, trials: list[dict[str, Any]], count: int, log: Logger) -> Iterator[Trial]:
    """Yield each of the `trials`, cross-validated in at most `count` folds or, where the source of
    the pictures gives the validation set, validated with that alone. Writes nothing but features.
    Raises Stopped at the end of a step, and what a training raises."""
    tf.config.experimental.enable_op_determinism()
    job, store, _ = with_features(job, log)
    for settings in trials:
        base = replace(job.settings, **settings)
        trial = replace(job, settings=base, variant=chosen_variant(base, job.weights))
        found = [_fold(replace(trial, dataset=part), store, log) for part in _parts(trial, count)]
        means = {name: float(np.mean([fold[name] for fold in found])) for name in METRICS}
        yield Trial(settings, means | {"seconds": means["seconds"] * len(found)})


def _parts(job: Job, count: int) -> list[Dataset]:
    """Return a data set for each fold; a linear head makes its own."""
    dataset, seed = job.dataset, job.settings.seed
    if job.settings.head == LINEAR or not dataset.drawn:
        return [dataset]
    pictures = to_columns(dataset.labelled())
    return [
        replace(
            dataset, train=[pictures[i] for i in others], validation=[pictures[i] for i in part]
        )
        for others, part in folds(pictures, count, seed)
    ]


def _fold(job: Job, store: FeatureStore, log: Logger) -> dict[str, float]:
    """Train until the end; return the best epoch with the seconds of all."""
    keras.backend.clear_session()  # of the networks of folds before
    keras.utils.set_random_seed(job.settings.seed)
    kind = LinearTrainer if job.settings.head == LINEAR else Trainer
    history: list[dict[str, float]] = []
    with signals.postponed():
        trainer = kind(job, store, store, log).prepare()
        most = min(job.settings.epochs, trainer.most_epochs)
        while len(history) < most and not is_early_enough(history, job.settings.stop_early):
            history.append(trainer.run_epoch(history))
    best = history[best_epoch(history, job.settings.best) - 1]
    return best | {"seconds": sum(epoch["seconds"] for epoch in history)}
