"""A run started again with other free settings, on whatever checkpoints it left."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.model import AlexNet, load_model
from alexnet_tf.runs.accuracy import read_accuracy
from alexnet_tf.runs.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    read_identity,
    save_checkpoint,
)
from alexnet_tf.runs.choice import finished_runs
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import read_json, write_json
from alexnet_tf.training.loop import write_model
from alexnet_tf.weights.loading import read_weights
from tests.support.small import LENET, heard, job, stopped, weights_of

TOLD = LENET | {"learning_rate": 0.05, "log_every": 1, "keep": 1}


@pytest.fixture(scope="module")
def two(tmp_path_factory, faces):
    """Train two epochs, left alone."""
    run = tmp_path_factory.mktemp("two") / "run"
    heard(job(faces, run, **TOLD, epochs=2))
    return run


@pytest.fixture(scope="module")
def within(tmp_path_factory, faces):
    """Leave a training of three epochs within its last one."""
    run = tmp_path_factory.mktemp("within") / "run"
    stopped(job(faces, run, **TOLD, epochs=3), "epoch 3/3  step 2/4")
    return run


def test_stopped_within_epoch_3_and_told_that_2_are_enough(within, two, faces, tmp_path):
    run = shutil.copytree(within, tmp_path / "run")
    lines = heard(job(faces, run, **TOLD, epochs=2))
    assert weights_of(run) == weights_of(two)
    assert len(read_history(Run(run))) == 2
    assert "finished after epoch 2 of 2; more --epochs would go on" in lines
    # The epoch that was begun is not lost: with --epochs 3 again, it resumes within the third.
    assert "going on after step 2 in epoch 3 of 3" in heard(job(faces, run, **TOLD, epochs=3))


def test_fewer_epochs_than_are_done(within, two, faces, tmp_path):
    run = shutil.copytree(within, tmp_path / "run")
    heard(job(faces, run, **TOLD, epochs=3))
    heard(job(faces, run, **TOLD, epochs=2))
    assert [e["epoch"] for e in read_history(Run(run))] == [1, 2]
    assert (run / "checkpoints/epoch-0003.npz").is_file()
    assert weights_of(run) == weights_of(two)


@pytest.fixture
def run(two, tmp_path):
    """Copy the run of two epochs."""
    return shutil.copytree(two, tmp_path / "run")


def test_checkpoints_whose_config_is_gone_say_whose_they_are(run, faces):
    (run / "config.json").unlink()
    with pytest.raises(UserError, match=r"epoch-\d+.npz: is of a training with other settings"):
        job(faces, run, **TOLD | {"seed": 1}, epochs=2)
    with pytest.raises(UserError, match="with other settings, pictures or weights, and config"):
        job(faces, run, **TOLD | {"resize": "squash"}, epochs=2)
    assert job(faces, run, **TOLD, epochs=3).relisted


def test_those_of_other_pictures_are_not_taken_up(run, faces, tmp_path):
    (run / "config.json").unlink()
    photos = shutil.copytree(faces, tmp_path / "photos")
    (photos / "cat.1.jpg").unlink()
    with pytest.raises(UserError, match="with other settings, pictures or weights"):
        job(photos, run, **TOLD, epochs=2)


def older(run):
    """Write the checkpoints of `run` as they were when they did not say whose they are."""
    for path in (run / "checkpoints").iterdir():
        save_checkpoint(path.parent, *load_checkpoint(path))


def test_older_checkpoints_are_used_only_beside_their_config(run, faces):
    older(run)
    job(faces, run, **TOLD, epochs=2)
    (run / "config.json").unlink()
    with pytest.raises(UserError, match=r"does not say of which training it is, and config.json"):
        job(faces, run, **TOLD, epochs=2)


def test_a_network_with_nan_is_not_written(tmp_path):
    model = AlexNet("lenet5", 2)
    kernel, bias = model.get_layer("fc6").get_weights()
    kernel[7, 5] = np.nan
    model.get_layer("fc6").set_weights([kernel, bias])
    with pytest.raises(RunError, match=r"fc6/kernel would hold NaN or infinite numbers"):
        write_model(Run(tmp_path), model)
    assert not (tmp_path / "model.keras").exists()


def test_a_test_set_is_measured_once_at_the_end(faces, tmp_path):
    asked = job(faces, tmp_path / "run", **LENET, epochs=1)
    test = asked.dataset.train[::4]
    lines = heard(replace(asked, dataset=replace(asked.dataset, test=test)))
    (line,) = [line for line in lines if line.startswith("accuracy ")]
    model = load_model(tmp_path / "run/model.keras")
    images = np.stack([load_image(picture.path, "lenet5") for picture in test])
    predictions = model.predict_on_batch(preprocess_input(images, "lenet5")).argmax(axis=1)
    accuracy = np.mean(predictions == [picture.label for picture in test])
    assert line.startswith(f"accuracy {accuracy:.4f} on 13 test pictures (")
    assert re.search(r"; accuracy 0\.\d{4} on 8 validation pictures, which chose the epoch$", line)
    assert (
        str(read_accuracy(Run(tmp_path / "run"))) == f"accuracy {accuracy:.4f} on 13 test pictures"
    )


def test_a_rate_that_falls_to_nothing_does_so_over_the_epochs_of_the_start(faces, tmp_path):
    configured = LENET | {"schedule": "cosine", "learning_rate": 0.05}
    heard(job(faces, tmp_path / "run", **configured, epochs=2))
    shorter = job(faces, tmp_path / "run", **configured, epochs=1)
    assert shorter.settings.fall == 2
    with pytest.raises(UserError, match="after --fall 2 epochs the learning rate is 0"):
        job(faces, tmp_path / "run", **configured, epochs=3)
    rates = [epoch["learning_rate"] for epoch in read_history(Run(tmp_path / "run"))]
    assert rates[0] > rates[1] > 0  # of their last steps


def test_stopped_within_an_epoch_and_told_that_the_ones_before_are_enough(within, faces, tmp_path):
    """The best epoch is the last whole one; what was begun after it has no part in the network."""
    run = shutil.copytree(within, tmp_path / "run")
    for path in list_checkpoints(run / "checkpoints"):
        arrays, history = load_checkpoint(path)
        for epoch, (loss, accuracy) in zip(history, [(0.5, 0.5), (0.6, 0.75)]):
            epoch |= {"val_loss": loss, "val_accuracy": accuracy}
        is_within = path.name.endswith(".unfinished.npz")
        save_checkpoint(path.parent, arrays, history, is_within, identity=read_identity(path))
    lines = heard(job(faces, run, **TOLD, epochs=3, stop_early=1, best="accuracy"))
    assert f"{run / 'model.keras'}: the network of epoch 2" in lines
    kept, _ = load_checkpoint(run / "checkpoints/epoch-0002.npz")
    for name, (kernel, bias) in read_weights(run / "model.keras").items():
        assert np.array_equal(kernel, kept[f"{name}/kernel"])
        assert np.array_equal(bias, kept[f"{name}/bias"])


def test_the_first_line_of_the_log_after_a_stop_is_of_as_many_steps_as_the_others(faces, tmp_path):
    configured = TOLD | {"batch_size": 8, "epochs": 1}
    whole = heard(job(faces, tmp_path / "whole", **configured | {"log_every": 2}))
    stopped(job(faces, tmp_path / "run", **configured), "epoch 1/1  step 3/")
    again = heard(job(faces, tmp_path / "run", **configured | {"log_every": 2}))
    for_step_4 = [
        next(line for line in lines if line.startswith("epoch 1/1  step 4/"))
        for lines in (whole, again)
    ]
    assert for_step_4[0] == for_step_4[1]


def test_another_training_that_was_begun_and_finished_meanwhile_is_not_written_over(
    faces, tmp_path
):
    run = tmp_path / "run"
    first, second = (job(faces, run, **TOLD, epochs=1, seed=seed) for seed in (1, 2))
    same = job(faces, run, **TOLD, epochs=1, seed=1)
    heard(first)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(
        UserError, match="another process has changed the settings of the run since"
    ):
        heard(second)
    assert before == {path: path.read_bytes() for path in before}
    assert "finished after epoch 1 of 1; more --epochs would go on" in heard(same)


def test_the_run_that_was_finished_last_is_the_latest_whatever_the_clock_said(
    faces, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    runs = [tmp_path / "train_alexnet", tmp_path / "runs/b", tmp_path / "runs/a"]
    for number, run in enumerate(runs):
        heard(job(faces, run, **TOLD, epochs=1))
        os.utime(run / "model.keras", (1000 - number, 1000 - number))  # it was set back
    assert finished_runs()[0].directory == Path("runs/a")
    for run in runs:  # as earlier versions left them: their dates are all that there is
        config = read_json(run / "config.json")
        del config["finished"]
        write_json(run / "config.json", config)
    assert finished_runs()[0].directory == Path("train_alexnet")
