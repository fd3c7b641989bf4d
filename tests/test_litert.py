"""One answer from cold, without TensorFlow."""

import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.errors import UserError
from alexnet_tf.exports import litert
from alexnet_tf.exports.litert import LiteModel
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import Run
from tests.support.places import ROOT

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def pictures(faces):
    return [str(faces / f"{name}.{number}.jpg") for name in ("cat", "dog") for number in range(4)]


def inputs(pictures):
    return alexnet_tf.preprocess_input(np.stack([alexnet_tf.load_image(p) for p in pictures]))


def test_training_ends_with_a_litert_file_equal_to_the_model(trained_run, pictures):
    lite = LiteModel(trained_run / "model.tflite").predict_on_batch(inputs(pictures))
    keras = alexnet_tf.load_model(trained_run / "model.keras").predict_on_batch(inputs(pictures))
    assert np.abs(lite - keras).max() < 1e-4


def test_it_takes_any_number_of_pictures_at_once(trained_run, pictures):
    lite, several = LiteModel(trained_run / "model.tflite"), inputs(pictures)
    one_by_one = np.concatenate([lite.predict_on_batch(picture[None]) for picture in several])
    for size in (len(several), 3, 1):
        assert np.abs(lite.predict_on_batch(several[:size]) - one_by_one[:size]).max() < 1e-6


def test_an_export_whose_training_was_killed_writes_nothing(trained_run, tmp_path):
    command = ["-m", "alexnet_tf", "export", trained_run, "--format", "litert", "--wait"]
    result = subprocess.run(
        [sys.executable, *command, "--out", tmp_path / "model.tflite"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "model.tflite").exists()


def test_a_training_goes_without_a_file_that_cannot_be_written(tmp_path, caplog):
    with litert.exporting_apart(tmp_path / "no run", logging.getLogger("tests")):
        pass
    assert "no LiteRT file could be written" in caplog.text and "no run" in caplog.text


def test_an_answer_imports_no_tensorflow(trained_run, faces, tmp_path):
    for name in ("tensorflow", "keras"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} is imported')")
    command = ["predict_alexnet.py", "2", str(faces / "cat.0.jpg"), "--run", str(trained_run)]
    result = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.stdout in ("cat\n", "dog\n") and result.stderr == ""


def answers(run, pictures):
    classifier = Classifier([Engine.of_run(Run(run))])
    return [answer.top for answer in classifier.classify(pictures, top=2)]


def assert_same(first, second):
    assert [[label for label, _ in top] for top in first] == [
        [label for label, _ in top] for top in second
    ]
    np.testing.assert_allclose(
        [[p for _, p in top] for top in first], [[p for _, p in top] for top in second], atol=1e-4
    )


def test_without_the_package_tensorflow_answers(trained_run, pictures, monkeypatch):
    expected = answers(trained_run, pictures)
    monkeypatch.setattr(litert, "find_spec", lambda name: None)
    assert_same(answers(trained_run, pictures), expected)


def test_a_file_older_than_its_model_is_not_asked(trained_run, pictures, tmp_path):
    run = shutil.copytree(trained_run, tmp_path / "run", copy_function=os.link)
    (run / "model.tflite").unlink()
    (run / "model.tflite").write_bytes(b"stale")
    os.utime(run / "model.tflite", (0, 0))
    assert_same(answers(run, pictures), answers(trained_run, pictures))


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"model\.tflite: is damaged, or of an older .*; delete it"):
        LiteModel(tmp_path / "model.tflite")


def test_int8_is_a_quarter_as_large_and_nearly_as_good(trained_run, command, pictures, tmp_path):
    result = command(
        "alexnet_tf", "export", trained_run, "--format", "litert", "--int8", "--out", "small.tflite"
    )
    assert result.stdout.startswith("small.tflite: 5")
    assert result.stderr == ""
    small, whole = tmp_path / "small.tflite", trained_run / "model.tflite"
    assert small.stat().st_size < 0.27 * whole.stat().st_size
    first, second = (LiteModel(path).predict_on_batch(inputs(pictures)) for path in (small, whole))
    assert np.abs(first - second).max() < 0.1
