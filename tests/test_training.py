"""The main job through its scripts, on drawn faces."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.inference.litert import run as litert
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.processor import VARIABLE
from alexnet_tf.training.job import prepare
from tests.support.pictures import answer_of, seen_by
from tests.support.places import ROOT
from tests.support.processes import read_until, running, wait_until
from tests.support.shared import NARROW
from tests.support.small import COLUMNS


def test_a_run_directory_holds_everything(trained_run):
    config = json.loads((trained_run / "config.json").read_text())
    assert config["classes"] == ["cat", "dog"]
    assert config["settings"]["epochs"] == 3
    assert config["settings"]["precision"] == os.environ[VARIABLE]
    assert set(config["versions"]) == {"python", "alexnet_tf", "tensorflow", "keras", "numpy"}
    history = read_history(Run(trained_run))
    assert (trained_run / "history.csv").read_text().startswith(f"{','.join(COLUMNS)}\n1,")
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    assert all(np.isfinite(value) for epoch in history for value in epoch.values())
    assert len((trained_run / "train.txt").read_text().splitlines()) == 52
    assert len(list((trained_run / "checkpoints").iterdir())) <= 3


def test_the_log_has_a_line_for_each_epoch(trained_run):
    lines = (trained_run.parent / "train_alexnet.log").read_text().splitlines()
    epochs = [line.split()[3] for line in lines if "val_accuracy" in line and "epoch " in line]
    assert epochs[:3] == ["1/3", "2/3", "3/3"]


def test_the_model_is_the_whole_network_and_opens_in_plain_keras(trained_run, faces):
    ours = alexnet_tf.load_model(trained_run / "model.keras")
    names = [layer.name for layer in ours.layers]
    order = [
        "conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4", "conv5", "pool5",
        "fc6", "fc7", "fc8", "prob",
    ]  # fmt: skip
    assert [name for name in names if name in order] == order
    assert ours.output_shape == (None, 2)
    inputs = seen_by(trained_run, [faces / "cat.0.jpg"])
    plain = keras.models.load_model(trained_run / "model.keras")
    np.testing.assert_array_equal(plain(inputs), ours(inputs))


def test_the_model_answers_as_the_validation_said(trained_run):
    """The head was trained on stored, scaled features; the whole network must agree with it."""
    model = alexnet_tf.load_model(trained_run / "model.keras")
    lines = (trained_run / "val.txt").read_text().splitlines()
    paths, labels = zip(*(line.rsplit(" ", 1) for line in lines))
    inputs = seen_by(trained_run, [trained_run.parent / path for path in paths])
    probabilities = model.predict_on_batch(inputs)
    hits = probabilities.argmax(1) == np.array(labels, int)
    log = (trained_run.parent / "train_alexnet.log").read_text()
    assert f"accuracy {hits.mean():.4f} on {len(labels)} validation pictures" in log
    # Features are kept in a byte each, the network's are float32; the mean loss was 0.002 off.
    kept = np.load(trained_run / "predictions.npz")["probabilities"]
    truth = range(len(labels)), [*map(int, labels)]
    losses = [-np.log(each[truth]) for each in (probabilities, kept)]
    assert np.mean(losses[0]) == pytest.approx(np.mean(losses[1]), abs=0.005)


def test_a_single_picture_is_answered_by_its_label(command, trained_run, faces):
    for name in ("cat", "dog"):
        picture = faces / f"{name}.3.jpg"
        result = command("predict_alexnet.py", "2", picture, "--run", trained_run)
        assert (result.stdout, result.stderr) == (f"{answer_of(trained_run, picture)}\n", "")


def test_several_pictures_and_folders_are_answered_line_by_line(command, tmp_path, trained_run):
    shutil.copytree(trained_run.parent / "photos", tmp_path / "photos")
    shutil.copytree(trained_run, tmp_path / "runs/mine")
    (tmp_path / "photos/broken.png").write_bytes(b"x")
    result = command("predict_alexnet.py", "2", "photos/cat.1.jpg", "nope.jpg", "photos", code=2)
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0][0] == "photos/cat.1.jpg"
    assert len(lines) == 61
    files, labels = zip(*lines)
    model = alexnet_tf.load_model(trained_run / "model.keras")
    inputs = seen_by(trained_run, [tmp_path / file for file in files])
    expected = model.predict_on_batch(inputs).argmax(axis=1)
    assert labels == tuple(("cat", "dog")[guess] for guess in expected) and {*expected} == {0, 1}
    default, no_better, *errors = result.stderr.splitlines()
    assert default.startswith("predict_alexnet.py: using runs/mine (cat, dog; accuracy ")
    assert "chance" in no_better  # of only eight pictures
    assert errors == [
        "predict_alexnet.py: nope.jpg: does not exist",
        "predict_alexnet.py: photos/broken.png: is text, no picture",
    ]
    result = command("predict_alexnet.py", "2", "photos/cat.1.jpg", "--json")
    answer = json.loads(result.stdout)
    assert answer["file"] == "photos/cat.1.jpg"
    assert [answer["label"], answer["probability"]] == list(answer["top"][0].values())
    assert sum(entry["probability"] for entry in answer["top"]) == pytest.approx(1, abs=1e-5)


def test_imagenet_answers_are_five_lines(command, tmp_path, faces):
    """With random weights: nonsense, but in the right form, and the same as in Python."""
    model = alexnet_tf.AlexNet("lenet5")
    layers = {
        layer.name: [np.asarray(weight) for weight in layer.weights]
        for layer in model.layers
        if layer.weights and "drop" not in layer.name
    }
    np.save(tmp_path / "all.npy", np.array(layers, dtype=object))
    network = ("--weights", "all.npy", "--variant", "lenet5")
    result = command("predict_alexnet.py", "1", faces / "cat.0.jpg", *network)
    files = faces / "cat.0.jpg", faces / "dog.0.jpg"
    pictures = np.stack([alexnet_tf.load_image(file, "lenet5") for file in files])
    inputs = alexnet_tf.preprocess_input(pictures, "lenet5")
    expected = alexnet_tf.decode_predictions(model.predict_on_batch(inputs))
    assert result.stdout.splitlines() == [f"{names} {p:.4f}" for _, names, p in expected[0]]
    assert (tmp_path / "all.npy.lenet5.tflite").is_file() == litert.is_installed()
    result = command("predict_alexnet.py", "1", *files, "--top", "1", *network)
    assert result.stdout.splitlines() == [
        f"{file}\t{names}\t{p:.4f}" for file, ((_, names, p), *_) in zip(files, expected)
    ]


def test_other_settings_are_refused_and_named(typed, trained_run):
    weights = trained_run.parent / "random.npy"
    error = typed(
        "train_alexnet.py", "--data", "photos", "--weights", weights, "--epochs", 3,
        "--batch-size", 16, "--width", NARROW["width"], "--units", NARROW["units"],
        "--learning-rate", 0.5, "--run", trained_run, code=2,
    ).stderr  # fmt: skip
    assert "started with other settings: learning_rate was 0.01, now 0.5. Give the same" in error


def test_the_room_that_a_run_needs_is_what_it_takes(trained_run, monkeypatch):
    monkeypatch.chdir(trained_run.parent)
    job = prepare(Settings(**Run("run").read_config()["settings"]), "run")
    network = alexnet_tf.load_model("run/model.keras")
    head = sum(network.get_layer(name).count_params() for name in ("fc6", "fc7", "fc8"))
    # Weights, momenta and moving means of three epochs, and two networks, in float32.
    assert job.size() == 4 * (3 * 3 * head + 2 * network.count_params())
    # Beside what describes them: a tenth of what one more array for each weight would take.
    room = 4 * head // 10
    for path in Path("run/checkpoints").iterdir():
        assert path.stat().st_size == pytest.approx(4 * 3 * head, abs=room)
    for path in Path("run").glob("model.*"):
        assert path.stat().st_size == pytest.approx(4 * network.count_params(), abs=room)


# What `make test` hands down, of which another `make` knows nothing.
INSIDE_MAKE = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "OLDEST", "TESTS")


def test_tensorboard_serves_accuracy_and_loss_without_complaints(trained_run):
    """`make tensorboard` at a port that the system chooses."""
    installed = ["-o", ".venv/setup-done", "-o", ".venv/setup-light"]
    installed.append(f"BIN={os.path.relpath(Path(sys.executable).parent, ROOT)}")
    words = ["make", *installed, "tensorboard", f"RUN={trained_run}", "PORT=0"]
    outside = {name: value for name, value in os.environ.items() if name not in INSIDE_MAKE}
    with running(words, cwd=ROOT, env=outside, stdout=subprocess.DEVNULL) as server:
        said = read_until(server, " at http://", server.stderr)
        url = re.search(r" at (http://\S+)", said)[1]
        for tag in ("accuracy/training", "accuracy/validation", "loss/training"):
            assert len(scalars(url, "tensorboard", tag)) == 3
        os.killpg(server.pid, signal.SIGTERM)
        said += server.communicate()[1]
    assert "TensorBoard" in said and "cuda" not in said.lower() and "0000 " not in said


def scalars(url, run, tag):
    found = []

    def are_there():
        with suppress(OSError):  # the run is not read yet
            place = f"{url}data/plugin/scalars/scalars?run={run}&tag={tag}"
            with urllib.request.urlopen(place) as answer:
                found.append(json.load(answer))
        return found

    wait_until(are_there)
    return found[0]
