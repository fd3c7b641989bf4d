"""Trainings that take seconds: thin networks on the drawn faces, in this process."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.api import pipeline
from alexnet_tf.runs.checkpoints import load_checkpoint
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import signals
from alexnet_tf.training import loop
from alexnet_tf.training.distribution import Workers
from alexnet_tf.training.frozen import with_features
from alexnet_tf.training.job import Job, prepare
from alexnet_tf.training.trainer import Trainer
from alexnet_tf.weights.loading import read_weights
from benchmarks.material import write_random_convolutions

LOG = logging.getLogger("tests")
# The columns of history.csv, also in files of earlier versions.
COLUMNS = (
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy",
    "learning_rate", "seconds",
)  # fmt: skip
# With normalization and pooling windows that overlap; with room to cut pictures out.
LENET = {"variant": "lenet5"}
CIFAR = {"variant": "cifar96", "width": 0.05}
STARTER = {"variant": "starter", "width": 0.1}


def job(photos: Path, directory: Path, **settings: object) -> Job:
    """Prepare three epochs of all layers from scratch, unless the settings say otherwise."""
    config = {
        "data": str(photos), "features": str(directory.parent / "features"), "weights": "none",
        "train": "all", "epochs": 3, "batch_size": 16, "precision": "float32",
        "tensorboard": "off",
    }  # fmt: skip
    return prepare(Settings(**config | settings), directory)


def convolutions(path: Path, **settings: object) -> str:
    """Write a file of random weights for the network of those settings; return its path."""
    write_random_convolutions(path, Settings(**settings).chosen_variant())
    return str(path)


def train(job: Job, log: logging.Logger = LOG) -> None:
    """Train as the command line does, but for model.tflite, which takes a process of its own."""
    with signals.listening():
        loop.train(job, log)


@contextmanager
def nothing(directory: Path, log: logging.Logger) -> Iterator[Callable[[], None]]:
    """Run a block, and export nothing when it has left a model."""
    yield lambda: None


def unexported(patch: pytest.MonkeyPatch) -> None:
    """Have trainings leave out model.tflite, which takes a process of its own."""
    patch.setattr(pipeline, "exporting_in_child", nothing)


@pytest.fixture(scope="module", autouse=True)
def without_litert() -> Iterator[None]:
    """Leave out model.tflite in all tests of a module that imports this."""
    with pytest.MonkeyPatch.context() as patch:
        unexported(patch)
        yield


class Listener(logging.Handler):
    """Keeps what is logged; asks to stop at a line that begins with `last`."""

    def __init__(self, last: str = "never"):
        super().__init__()
        self.lines: list[str] = []
        self.last = last

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())
        if self.lines[-1].startswith(self.last):
            os.kill(os.getpid(), signal.SIGTERM)


def heard(job: Job, last: str = "never") -> list[str]:
    """Train, until a line of the log begins with `last`; return the lines."""
    log = logging.Logger("small")
    log.addHandler(listener := Listener(last))
    train(job, log)
    return listener.lines


def stopped(job: Job, last: str) -> None:
    """Train until a line of the log begins with `last`, and be stopped there."""
    with pytest.raises(signals.Stopped):
        heard(job, last)


def trainer(job: Job, workers: Workers | None = None) -> Trainer:
    """Return what trains it, before the first step; as one of several `workers`."""
    return Trainer(*with_features(job, LOG, workers), LOG, workers).prepare()


def weights_of(run: Path) -> dict[str, bytes]:
    """Return the weights in the finished model of a run, as bytes by name."""
    return {
        f"{name}/{part}": array.tobytes()
        for name, layer in read_weights(run / "model.keras").items()
        for part, array in zip(("kernel", "bias"), layer)
    }


def epochs(count: int) -> list[dict[str, float]]:
    """Make a history of so many epochs, of which each is better than the one before."""
    return [
        {name: (number if name == "epoch" else number / 1000) for name in COLUMNS}
        for number in range(1, count + 1)
    ]


def assert_same_state(one: Path, other: Path) -> None:
    """Assert that two checkpoints are the same but for the seconds."""
    (arrays, history), (others, other_history) = map(load_checkpoint, (one, other))
    assert set(arrays) == set(others)
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)
    one, other = (
        [epoch | {"seconds": 0} for epoch in epochs] for epochs in (history, other_history)
    )
    assert one == other
