"""Trainings that take seconds: thin networks on the drawn faces, in this process."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.commands.demonstrating import write_random_convolutions
from alexnet_tf.runs import run
from alexnet_tf.runs.checkpoints import load_checkpoint
from alexnet_tf.runs.run import Job
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import signals as stopping
from alexnet_tf.training import loop as training
from alexnet_tf.training.trainer import Trainer

LOG = logging.getLogger("tests")
# With normalization and pooling windows that overlap; with room to cut pictures out.
CIFAR = {"variant": "cifar96", "width": 0.05}
STARTER = {"variant": "starter", "width": 0.1}


def job(photos: Path, directory: Path, **settings: object) -> Job:
    """Three epochs of all layers from scratch, unless the settings say otherwise."""
    told = {
        "data": str(photos), "features": str(directory.parent / "features"), "weights": "none",
        "train": "all", "epochs": 3, "batch_size": 16, "precision": "float32",
    }  # fmt: skip
    return run.prepare(Settings(**told | settings), directory)


def convolutions(path: Path, **settings: object) -> str:
    """A file of random weights for the network of those settings."""
    write_random_convolutions(path, Settings(**settings).row())
    return str(path)


def train(job: Job, log: logging.Logger = LOG) -> None:
    """As the command line, but for model.tflite, which takes a process of its own."""
    with pytest.MonkeyPatch.context() as patch, stopping.listening():
        patch.setattr(training, "exporting_apart", lambda directory, log: nullcontext())
        training.train(job, log)


def trainer(job: Job) -> Trainer:
    """What trains it, before the first step."""
    return Trainer(*training._with_features(job, LOG), LOG)


def assert_same_state(one: Path, other: Path) -> None:
    """Two checkpoints are the same but for the seconds."""
    (arrays, history), (others, other_history) = map(load_checkpoint, (one, other))
    assert set(arrays) == set(others)
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)
    without = [[row | {"seconds": 0} for row in rows] for rows in (history, other_history)]
    assert without[0] == without[1]
