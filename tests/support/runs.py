"""Finished runs of a thin network with random weights, written without a training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from alexnet_tf.runs.model_metadata import write_model_metadata
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.weights import Weights
from tests.support.caffe import random_weights
from tests.support.formats import write_h5

THIN = Settings(
    weights="none", train="all", variant="cifar96", width=0.05, precision="float32", epochs=1
)
CLASSES = ("cat", "dog")
SIGNATURE = "alexnet_tf.json"  # the member of model.keras that says whose it is


def write_run(directory: Path, classes: Sequence[str] = CLASSES, seed: int = 0) -> Run:
    """Write config.json, classes.txt and model.keras of a run told `THIN`."""
    run = Run(directory)
    run.directory.mkdir(parents=True)
    config = {"settings": asdict(THIN), "classes": list(classes), "data": "", "weights": ""}
    run.config_path.write_text(json.dumps(config))
    (run.directory / "classes.txt").write_text("".join(f"{name}\n" for name in classes))
    write_model(run, seed)
    return run


def write_model(run: Run, seed: int) -> None:
    """Write a model.keras of other weights for each `seed`."""
    config = run.read_config()
    weights = random_weights(THIN.chosen_variant(), len(config["classes"]), seed)
    write_keras(run.model_path, {**weights, "fc8": (100 * weights["fc8"][0], weights["fc8"][1])})
    write_model_metadata(run.model_path, config)


def write_keras(path: Path, weights: Weights) -> None:
    """Write what Keras's `save` does, as far as it is read."""
    inner = path.with_name(f"{path.name}.h5")
    write_h5(inner, weights)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(inner, "model.weights.h5")
    inner.unlink()


def without_signature(run: Run) -> None:
    """Make of its model.keras one of an earlier version, which did not say whose it is."""
    with zipfile.ZipFile(run.model_path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != SIGNATURE}
    with zipfile.ZipFile(run.model_path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
