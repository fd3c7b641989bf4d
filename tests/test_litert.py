"""One answer from cold, without TensorFlow."""

import logging
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import Builder

import alexnet_tf
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.litert import run as litert
from alexnet_tf.inference.litert.convert import exporting_in_child
from alexnet_tf.inference.litert.run import MARK_BYTES, LiteModel
from alexnet_tf.runs.run import Run
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights
from tests.support.caffe import random_weights
from tests.support.formats import write_npy
from tests.support.pictures import answer_of, seen_by
from tests.support.places import ROOT
from tests.support.processes import wait_until
from tests.support.runs import write_keras, write_model, write_run

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")


@pytest.fixture
def pictures(faces):
    return [str(faces / f"{name}.{number}.jpg") for name in ("cat", "dog") for number in range(4)]


def test_training_ends_with_a_litert_file_equal_to_the_model(trained_run, pictures):
    seen = seen_by(trained_run, pictures)
    lite = LiteModel(trained_run / "model.tflite").predict_on_batch(seen)
    keras = alexnet_tf.load_model(trained_run / "model.keras").predict_on_batch(seen)
    assert np.abs(lite[:, :2] - keras).max() < 1e-4
    assert lite.shape[1] > 2  # followed by what the novelty is computed from


def test_it_takes_any_number_of_pictures_at_once(trained_run, pictures):
    lite, several = LiteModel(trained_run / "model.tflite"), seen_by(trained_run, pictures)
    one_by_one = np.concatenate([lite.predict_on_batch(picture[None]) for picture in several])
    for size in (len(several), 3, 1):
        assert lite.predict_on_batch(several[:size]) == pytest.approx(one_by_one[:size], rel=1e-5)


def test_an_export_whose_training_was_killed_writes_nothing(trained_run, tmp_path):
    command = ["-m", "alexnet_tf", "export", trained_run, "--format", "litert", "--wait"]
    result = subprocess.run(
        [sys.executable, *command, "--out", tmp_path / "model.tflite"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "model.tflite").exists()


def test_a_training_goes_without_a_file_that_cannot_be_written(tmp_path, caplog):
    with exporting_in_child(tmp_path / "no run", logging.getLogger("tests")) as export:
        export()
    assert "no LiteRT file could be written" in caplog.text and "no run" in caplog.text


def test_an_answer_imports_no_tensorflow(trained_run, faces, tmp_path):
    for name in ("tensorflow", "keras"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} is imported')")
    picture = faces / "cat.0.jpg"
    command = ["predict_alexnet.py", "2", str(picture), "--run", str(trained_run)]
    result = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.stderr) == (f"{answer_of(trained_run, picture)}\n", "")


def predictions(run, pictures):
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
    expected = predictions(trained_run, pictures)
    monkeypatch.setattr(litert, "find_spec", lambda name: None)
    assert_same(predictions(trained_run, pictures), expected)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A finished run of a thin network, and its LiteRT file."""
    run = write_run(tmp_path_factory.mktemp("exported") / "run")
    Engine.of_run(run).write_litert()
    return run


@pytest.fixture
def run(exported, tmp_path):
    """A copy of it, to spoil, whose files have the date of now."""
    return Run(shutil.copytree(exported.directory, tmp_path / "run", copy_function=shutil.copyfile))


def ask(run):
    """Its probabilities of a drawn picture, whoever answers."""
    return Engine.of_run(run).predict(DRAWN, among=1)[0]


def no_keras(monkeypatch):
    monkeypatch.setattr(Engine, "open_keras", lambda self: pytest.fail("TensorFlow is asked"))


DRAWN = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("model_date", [0, 2**31], ids=["older", "newer"])
def test_a_file_made_from_another_model_is_not_asked_whatever_its_date(run, tmp_path, model_date):
    """model.keras of a backup is put back, by `cp -p`, `mv`, `rsync -t` or `tar x`."""
    before = ask(run)
    write_model(run, seed=1)
    os.utime(run.model_path, (model_date, model_date))
    assert np.abs(ask(run) - before).max() > 0.01
    np.testing.assert_allclose(ask(run), ask(write_run(tmp_path / "other", seed=1)), atol=1e-5)


@pytest.mark.parametrize("lite_date", [0, 2**31], ids=["older", "newer"])
def test_a_run_answers_at_once_wherever_it_was_moved(run, tmp_path, monkeypatch, lite_date):
    """Copied without its dates too: then the model may look newer than its LiteRT file."""
    os.utime(run.litert_path, (lite_date, lite_date))
    moved = Run(run.directory.rename(tmp_path / "elsewhere"))
    no_keras(monkeypatch)
    assert ask(moved).shape == (1, 2)


def test_a_file_of_an_earlier_version_is_made_anew_by_a_prediction(run, command, faces):
    """Such a file does not say what it was made from."""
    content = run.litert_path.read_bytes()
    run.litert_path.write_bytes(content[:-MARK_BYTES])
    predict = ("predict_alexnet.py", "2", faces / "cat.0.jpg", "--run", "run")
    first, second = command(*predict), command(*predict)
    assert first.stdout == second.stdout
    assert "keeping run/model.tflite" in first.stderr and second.stderr == ""
    assert run.litert_path.read_bytes()[-MARK_BYTES:] == content[-MARK_BYTES:]


def test_other_weights_under_the_same_name_answer_for_themselves(tmp_path):
    """Predict 1 keeps a LiteRT file beside the weights."""
    path, networks = tmp_path / "a.npy", []
    for seed in (0, 1):
        write_npy(path, random_weights(VARIANTS["lenet5"], 1000, seed))
        os.utime(path, (0, 0))
        networks.append(Engine.of_imagenet(path, "lenet5"))
        networks[-1].predict(DRAWN, among=1)
        assert networks[-1].lacks_litert()
        networks[-1].write_litert()
    again = Engine.of_imagenet(path, "lenet5")
    first, second, kept = (network.predict(DRAWN, among=1)[0] for network in (*networks, again))
    assert not again.lacks_litert() and np.abs(first - second).max() > 1e-5
    np.testing.assert_allclose(kept, second, atol=1e-6)


def test_a_model_that_is_replaced_while_it_is_exported_keeps_its_own_file(run):
    """A training in that run ends meanwhile, and writes both files."""
    export = Engine.of_run(run)
    assert export.open_keras().count_params() > 0
    write_model(run, seed=1)
    Engine.of_run(run).write_litert()
    kept = run.litert_path.read_bytes()
    with pytest.raises(UserError, match="was replaced while its LiteRT file was being made"):
        export.write_litert()
    assert run.litert_path.read_bytes() == kept


def test_weights_that_are_not_numbers_are_not_exported(tmp_path):
    """In a hidden layer, behind which relu makes zeros of them."""
    run = write_run(tmp_path / "run")
    weights = read_weights(run.model_path)
    kernel, bias = weights["fc6"]
    weights["fc6"] = np.full_like(kernel, np.nan), bias
    write_keras(run.model_path, weights)
    with pytest.raises(UserError, match=r"model\.keras: the kernel of fc6 holds NaN"):
        Engine.of_run(run).write_litert()
    assert not run.litert_path.exists()


OUT = {
    "a folder": (os.mkdir, "is there already"),
    "a pipe": (os.mkfifo, "is there already"),
    "a link": (lambda path: os.symlink("elsewhere", path), "is a link, and no link is written"),
    "a letter": (lambda path: path.write_text("Dear"), "is there already"),
}


@pytest.mark.parametrize("kind", OUT)
def test_an_export_replaces_only_what_it_may(run, typed, tmp_path, kind):
    make, message = OUT[kind]
    make(tmp_path / "out")
    words = ("alexnet_tf", "export", "run", "--format", "litert", "--out", "out")
    assert f"out: {message}" in typed(*words, code=2).stderr
    assert not (tmp_path / "elsewhere").exists()


def test_what_lies_in_the_working_directory_is_not_run(run, tmp_path, monkeypatch):
    """A training in a stranger's folder, which has a numpy.py and an alexnet_tf/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alexnet_tf").mkdir()
    for name in ("numpy.py", "sitecustomize.py", "alexnet_tf/__init__.py"):
        (tmp_path / name).write_text("open('run by us', 'w')")
    run.litert_path.unlink()
    with exporting_in_child(Path("run"), logging.getLogger("tests")) as export:
        export()
        wait_until(run.litert_path.is_file)  # while the training goes on
    assert not (tmp_path / "run by us").exists()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"model\.tflite: is damaged, or not of this .*; delete it"):
        LiteModel(tmp_path / "model.tflite")


def test_int8_is_a_quarter_as_large_and_nearly_as_good(trained_run, typed, tmp_path):
    result = typed(
        "alexnet_tf", "export", trained_run, "--format", "litert", "--int8", "--out", "small.tflite"
    )
    assert result.stdout.startswith("small.tflite: 1")
    assert result.stderr == ""
    small, whole = tmp_path / "small.tflite", trained_run / "model.tflite"
    assert small.stat().st_size < 0.27 * whole.stat().st_size
    assert float(result.stdout.split()[-1]) < 0.1


def test_weights_beyond_the_end_of_a_file_are_never_read(run):
    """Where the tables say how many they are: the interpreter is not asked about such a file."""
    content = bytearray(run.litert_path.read_bytes())
    model = schema.Model.GetRootAs(content)
    buffers = [model.Buffers(number)._tab for number in range(model.BuffersLength())]
    lengths = [tab.Vector(tab.Offset(4)) - 4 for tab in buffers if tab.Offset(4)]
    largest = max(lengths, key=lambda place: struct.unpack_from("<I", content, place))
    struct.pack_into("<I", content, largest, len(content))
    run.litert_path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.tflite: .*lie beyond its end"):
        ask(run)


@pytest.mark.parametrize("place", [2**64 - 4096, 1000])
def test_weights_behind_the_tables_may_not_lie_beyond_the_end_either(run, place):
    """The interpreter adds place and size in 64 bits: the sum may be small, the place no place."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(run.litert_path.read_bytes()))
    largest = max(
        (each for each in model.buffers if each.data is not None), key=lambda b: len(b.data)
    )
    largest.offset, largest.size, largest.data = place, 1 << 30, None
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    run.litert_path.write_bytes(builder.Output())
    with pytest.raises(UserError, match=r"model\.tflite: .*lie beyond its end"):
        LiteModel(run.litert_path)


def test_a_file_that_does_more_than_an_alexnet_is_not_run(run):
    """The operator 119 is WHILE, which may go on for ever."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(run.litert_path.read_bytes()))
    model.operatorCodes[0].builtinCode = 119
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    run.litert_path.write_bytes(builder.Output())
    with pytest.raises(UserError, match="does what no AlexNet does"):
        LiteModel(run.litert_path)


def test_a_file_of_other_outputs_is_not_asked(run):
    with pytest.raises(UserError, match=r"its outputs have the shape \(1, 2\)"):
        LiteModel(run.litert_path, values=4).predict_on_batch(DRAWN.astype(np.float32))
