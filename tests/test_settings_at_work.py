"""Settings, and several of them together, in whole trainings of thin networks."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from alexnet_tf.commands import data
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.model import load_model
from alexnet_tf.runs.checkpoints import load_checkpoint
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import Run
from alexnet_tf.system import signals
from alexnet_tf.training import loop
from alexnet_tf.training.trainer import Trainer
from tests.support.places import ROOT
from tests.support.small import LENET, STARTER, Listener, convolutions, heard, job
from tests.support.twins import both
from tests.support.verbs import run_verb
from tests.support.workers import difference


def measured_as(monkeypatch, **columns):
    """Let the epochs of all trainings have these values in their history, one after the other."""
    run_epoch = Trainer.run_epoch

    def measured(self, history, check=signals.check):
        epoch = run_epoch(self, history, check)
        return epoch | {name: values[len(history)] for name, values in columns.items()}

    monkeypatch.setattr(Trainer, "run_epoch", measured)


def kernel_of(run, epoch):
    return load_checkpoint(run / f"checkpoints/epoch-{epoch:04}.npz")[0]["fc8/kernel"]


def kept(run):
    return load_model(run / "model.keras").get_layer("fc8").get_weights()[0]


def test_each_kind_of_best_keeps_the_weights_of_its_epoch(faces, tmp_path, monkeypatch):
    config = LENET | {"learning_rate": 0.05, "keep": 3}
    measured_as(
        monkeypatch,
        val_accuracy=[0.5, 0.5, 0.9], val_loss=[0.3, 0.2, 0.4],
        val_balanced_accuracy=[0.8, 0.6, 0.7],
    )  # fmt: skip
    for best, number in (("balanced", 1), ("loss", 2), ("accuracy", 3)):
        lines = heard(job(faces, tmp_path / "run", **config, best=best))
        assert f"{tmp_path / 'run'}/model.keras: the network of epoch {number}" in lines
        for epoch in (1, 2, 3):
            is_kept = np.array_equal(kept(tmp_path / "run"), kernel_of(tmp_path / "run", epoch))
            assert is_kept == (epoch == number)


def test_the_rate_falls_on_a_plateau_and_the_steps_with_it(faces, tmp_path, monkeypatch):
    """The third and fourth epoch are no better than the second: the fifth learns next to nothing,
    and has but the momentum of what was before."""
    config = LENET | {"schedule": "plateau", "patience": 2, "decay": 1e-6}
    measured_as(monkeypatch, val_accuracy=[0.5, 0.6, 0.6, 0.5, 0.5])
    run = tmp_path / "run"
    heard(job(faces, run, **config, epochs=5, keep=5, batch_size=60))
    rates = [epoch["learning_rate"] for epoch in read_history(Run(run))]
    assert rates == pytest.approx([0.01] * 4 + [1e-8])
    third, fourth, fifth = (kernel_of(run, epoch) for epoch in (3, 4, 5))
    # An epoch is one step here: v becomes 0.9 v.
    np.testing.assert_allclose(fifth - fourth, 0.9 * (fourth - third), atol=1e-7)
    assert np.abs(fourth - third).max() > 1e-5


def test_a_mean_of_epochs_is_of_those_before_it_ended_early(faces, tmp_path, monkeypatch):
    config = LENET | {"learning_rate": 0.05, "average": 2, "stop_early": 2, "epochs": 9}
    measured_as(monkeypatch, val_loss=[0.6, 0.5, 0.7, 0.5])
    lines = heard(job(faces, tmp_path / "run", **config))
    assert "that is enough: no lower val_loss for 2 epochs (--stop-early)" in lines
    assert len(read_history(Run(tmp_path / "run"))) == 4
    third, fourth = (kernel_of(tmp_path / "run", epoch) for epoch in (3, 4))
    assert np.abs(third - fourth).max() > 1e-4
    np.testing.assert_allclose(kept(tmp_path / "run"), (third + fourth) / 2, atol=1e-7)


# Recipe → changes that make it small, and the learning rates of its epochs, by hand.
RECIPES_AT_WORK = {
    "best": (STARTER | {"train": "head", "epochs": 3, "units": 16}, [0.02, 0.02, 0.01]),
    "classical": (STARTER | {"train": "head", "epochs": 3}, [0.01] * 3),
    "paper": ({"width": 0.02, "epochs": 1}, [0.01]),
}


@pytest.mark.parametrize("name", RECIPES_AT_WORK)
def test_a_recipe_trains_what_it_says(faces, tmp_path, name):
    config, rates = RECIPES_AT_WORK[name]
    config = {"batch_size": 128, **RECIPES[name], **config}
    if name != "paper":
        config["weights"] = convolutions(tmp_path / "thin.npy", **STARTER)
    run = Run(tmp_path / "run")
    lines = heard(job(faces, run.directory, **config))
    settings = run.read_config()["settings"]
    expected = config | {"scale": settings["scale"]}  # for which 0 is the network's own
    assert {key: settings[key] for key in expected} == expected
    history = read_history(run)
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx(rates)
    evaluation = evaluate_runs([run], None)
    accuracy = evaluation.accuracy(evaluation.averaged)["accuracy"]
    best = min if name == "best" else max
    column = "val_loss" if name == "best" else "val_accuracy"
    chosen = best(history, key=lambda epoch: epoch[column])
    assert accuracy == pytest.approx(chosen["val_accuracy"])
    assert f"{run.model_path}: the network of epoch {chosen['epoch']}" in lines
    assert any(line.startswith("calibrated: ") for line in lines) == (name == "best")


def test_slopes_are_learned_behind_windows_and_answer_as_they_were_measured(faces, tmp_path):
    config = STARTER | {
        "weights": convolutions(tmp_path / "thin.npy", **STARTER), "train": "from:conv5",
        "activation": "prelu", "scale": 144, "resize": "caffe", "epochs": 2, "learning_rate": 0.02,
    }  # fmt: skip
    run = tmp_path / "run"
    lines = heard(job(faces, run, **config))
    (said,) = (line for line in lines if "averaged over 32 test-time views of each" in line)
    network = load_model(run / "model.keras")
    slopes = {
        layer.name: layer.get_weights()[0] for layer in network.layers if "prelu" in layer.name
    }
    learned = [name for name, slope in slopes.items() if np.abs(slope - 0.25).max() > 1e-6]
    assert learned == ["prelu5", "prelu6", "prelu7"] and len(slopes) == 7
    evaluation = evaluate_runs([Run(run)], None)
    accuracy = evaluation.accuracy(evaluation.averaged)["accuracy"]
    assert said.startswith(f"accuracy {accuracy:.4f} on ")


def test_two_workers_train_on_shards_whatever_is_drawn_weighed_and_averaged(faces, tmp_path):
    """Crops, colours, classes that count for more, the mean of two epochs, and a test part."""
    for part, numbers in (("train", range(20)), ("val", range(20, 26)), ("test", range(26, 30))):
        for name in ("cat", "dog"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in [*numbers][: 12 if name == "dog" else None]:
                shutil.copy(faces / f"{name}.{number}.jpg", folder)
    run_verb(data, tmp_path / "photos", "--shards", 2, "--out", tmp_path / "shards")
    config = STARTER | {
        "crop": True, "color_shift": 0.1, "rotate": 20, "zoom": 0.2, "brightness": 0.1,
        "contrast": 0.2, "balance": True, "average": 2, "epochs": 2, "learning_rate": 0.02,
    }  # fmt: skip

    def lines_of(name, workers=None):
        asked = job(tmp_path / "shards", tmp_path / name, **config)
        log = logging.Logger(name)
        log.addHandler(listener := Listener())
        loop.train(asked, log, workers=workers)
        return [line for line in listener.lines if " on 8 test pictures" in line]

    alone, together = lines_of("one"), both(lambda workers: lines_of("two", workers))
    assert len(alone) == 1 and together == [alone, []]  # the chief alone says it
    assert difference(tmp_path / "one", tmp_path / "two") < 1e-5
    ours, theirs = (read_history(Run(tmp_path / name)) for name in ("one", "two"))
    for one, other in zip(ours, theirs, strict=True):
        assert one | {"seconds": 0} == pytest.approx(other | {"seconds": 0}, abs=1e-5)


ASK_FOR_THREADS = """
import sys, types
import tensorflow as tf
from alexnet_tf.commands import train
from tests.support.verbs import run_verb

stub = types.ModuleType("alexnet_tf.training.loop")
threads = tf.config.threading.get_intra_op_parallelism_threads
stub.train = lambda *_, **__: print(threads(), "threads")
sys.modules[stub.__name__] = stub
run_verb(train, *sys.argv[1:])
"""


def test_as_many_threads_as_are_asked_for_are_tensorflows(faces, tmp_path):
    words = ("--data", faces, "--weights", "none", "--train", "all", "--threads", "3")
    script = tmp_path / "ask.py"
    script.write_text(ASK_FOR_THREADS)
    result = subprocess.run(
        [sys.executable, script, *words, "--run", tmp_path / "run", "--log", tmp_path / "log",
         "--no-report"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert "3 threads" in result.stdout.splitlines(), result.stdout + result.stderr
