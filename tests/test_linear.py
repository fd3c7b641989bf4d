"""A linear head: what few pictures are learned by, and what is said of it."""

import csv

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sklearn.linear_model import LogisticRegression

from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.evaluation.review import review
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.litert.run import LiteModel
from alexnet_tf.reports.evaluation import evaluation_text
from alexnet_tf.runs.accuracy import read_accuracy
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import Run
from alexnet_tf.training.linear import STRENGTHS, Basis
from tests.support.small import assert_same_state, heard, job, stopped
from tests.support.small import convolutions as write_convolutions

# The settings of a first training, with a network and pictures that take seconds.
USUAL = RECIPES["head"] | {"variant": "starter", "train": "head", "scale": 144, "report": False}


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory):
    """Random convolutions of the starter's shapes."""
    return write_convolutions(tmp_path_factory.mktemp("weights") / "c.npy", variant="starter")


@pytest.fixture(scope="module")
def config(convolutions):
    return USUAL | {"weights": convolutions}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, faces, config):
    """Train on sixty pictures with nothing said of how; return the run and what was logged."""
    run = tmp_path_factory.mktemp("finished") / "run"
    return run, heard(job(faces, run, **config))


def test_few_pictures_get_a_linear_head_which_all_of_them_teach(finished):
    run, lines = finished
    settings = Run(run).read_config()["settings"]
    assert (settings["head"], settings["units"]) == ("linear", None)
    names = [layer.name for layer in Engine.of_run(Run(run)).open_keras().layers]
    assert names[-5:] == ["windows", "unit", "fc8", "prob", "mean"]
    train, validation = ((run / name).read_text() for name in ("train.txt", "val.txt"))
    assert train == validation and len(train.splitlines()) == 60
    assert len(read_history(Run(run))) == len(STRENGTHS)
    assert any("linear head learns more" in line for line in lines)


def test_the_accuracy_is_that_of_heads_that_have_not_seen_the_picture(finished):
    run, lines = finished
    evaluation = evaluate_runs([Run(run)])
    accuracy = evaluation.accuracy(evaluation.averaged)["accuracy"]
    low, high = evaluation.accuracy(evaluation.averaged)["interval95"]
    words = f"accuracy {accuracy:.4f} on 60 cross-validated pictures ({low:.4f} to {high:.4f}"
    assert any(words in line for line in lines)
    assert read_accuracy(Run(run)).value == pytest.approx(accuracy)
    assert "cross-validated" in evaluation_text(evaluation)
    best = min(read_history(Run(run)), key=lambda epoch: epoch["val_loss"])
    assert accuracy == pytest.approx(best["val_accuracy"])
    # The network itself has learned them all.
    pictures = [line.split(" ")[0] for line in (run / "train.txt").read_text().splitlines()]
    found = np.concatenate([*Classifier([Engine.of_run(Run(run))]).probabilities(pictures)])
    labels = np.array([int(line[-1]) for line in (run / "train.txt").read_text().splitlines()])
    assert (found.argmax(axis=1) == labels).mean() > accuracy
    assert review(Run(run)).predictions.accuracy()["accuracy"] == accuracy


def test_what_was_answered_in_cross_validation_cannot_be_asked_again(finished, tmp_path, faces):
    run, _ = finished
    kept = (run / "predictions.npz").read_bytes()
    (run / "predictions.npz").unlink()
    try:
        with pytest.raises(UserError, match="cross-validation are gone"):
            evaluate_runs([Run(run)])
        assert len(evaluate_runs([Run(run)], str(faces)).labels) == 60
    finally:
        (run / "predictions.npz").write_bytes(kept)


@pytest.mark.parametrize(
    "option", [{"units": 16}, {"learning_rate": 0.02}, {"head": "random"}, {"epochs": 2}]
)
def test_whoever_says_how_to_train_fc6_and_fc7_gets_them(faces, tmp_path, config, option):
    asked = job(faces, tmp_path / "run", **config | option)
    assert "fc6" in asked.variant.fc_kernels(2) and not asked.dataset.is_cross_validated


def test_many_pictures_get_fc6_and_fc7(faces, tmp_path, config, monkeypatch):
    monkeypatch.setattr("alexnet_tf.training.resolve.FEW", 60)
    asked = job(faces, tmp_path / "run", **config)
    assert asked.variant.head and len(asked.dataset.validation) == 8


def test_a_head_is_the_optimum_of_two_halves_of_shrinkage():
    """Places and their means side by side, by scikit-learn alone."""
    random = np.random.default_rng(0)
    inputs = random.random((40, 36 * 8), "f4")
    labels = np.arange(40) % 3
    basis = Basis.fit(inputs, 8)
    head = LogisticRegression(C=10, tol=1e-8, max_iter=10_000).fit(basis.coordinates, labels)
    kernel, bias = basis.layer(head.coef_.T, head.intercept_)
    places = inputs - inputs.mean(axis=0)
    means = places.reshape(40, 36, 8).mean(axis=1)
    both = np.hstack([part / np.sqrt(2 * (part**2).sum() / 40) for part in (places, means)])
    expected = LogisticRegression(C=10, tol=1e-8, max_iter=10_000).fit(both, labels)
    np.testing.assert_allclose(inputs @ kernel + bias, expected.decision_function(both), atol=2e-3)


def test_a_training_that_is_stopped_goes_on_bit_for_bit(faces, tmp_path, config, finished):
    run = tmp_path / "run"
    stopped(job(faces, run, **config), "epoch 2/")
    assert not (run / "model.keras").exists()
    heard(job(faces, run, **config))
    name = f"epoch-{len(STRENGTHS):04}.npz"
    assert_same_state(run / "checkpoints" / name, finished[0] / "checkpoints" / name)
    ours, others = (read / "model.keras" for read in (run, finished[0]))
    kernels = [Engine.of_run(Run(path.parent)).weights.layers["fc8"] for path in (ours, others)]
    assert all(np.array_equal(*parts) for parts in zip(*kernels))


def test_a_finished_linear_head_starts_another(faces, tmp_path, config, finished):
    asked = job(faces, tmp_path / "run", **config | {"weights": str(finished[0])})
    assert asked.settings.head == "linear" and "fc8" in asked.weights


def test_the_litert_file_answers_as_the_run(finished, tmp_path):
    engine = Engine.of_run(Run(finished[0]))
    inputs = np.random.default_rng(0).normal(0, 2, (3, 144, 144, 3)).astype("f4")
    engine.write_litert(tmp_path / "model.tflite")
    found = LiteModel(tmp_path / "model.tflite").predict_on_batch(inputs)[:, :2]
    np.testing.assert_allclose(found, engine.open_keras().predict_on_batch(inputs), atol=1e-5)


def test_pictures_that_are_told_to_validate_with_are_only_that(faces, tmp_path, config):
    rows = [(faces / f"{name}.{n}.jpg", name) for name in ("cat", "dog") for n in range(12)]
    for name, part in (("train", rows[::2]), ("val", rows[1::2])):
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("filename", "label"), *part])
    asked = job(tmp_path / "train.csv", tmp_path / "run", **config)
    assert not asked.dataset.is_cross_validated and len(asked.dataset.validation) == 12
    heard(asked)
    assert len(evaluate_runs([Run(tmp_path / "run")]).labels) == 12


def _draw(folder, name, count, color=None):
    random = np.random.default_rng(len(name))
    (folder / name).mkdir(parents=True)
    for number in range(count):
        pixels = random.integers(0, 255, (48, 48, 3)) if color is None else np.full((48, 48, 3), 9)
        image = Image.fromarray(pixels.astype("u1"))
        image.save(folder / name / f"{number}.png", pnginfo=_note(f"{name} {number}"))


def _note(text):
    note = PngInfo()
    note.add_text("number", text)
    return note


def test_a_class_of_two_beside_one_of_forty(tmp_path, config):
    _draw(tmp_path / "photos", "rare", 2)
    _draw(tmp_path / "photos", "frequent", 40)
    lines = heard(job(tmp_path / "photos", tmp_path / "run", **config))
    assert any("has 40 pictures" in line for line in lines)
    history = read_history(Run(tmp_path / "run"))
    assert all(np.isfinite(epoch["val_loss"]) for epoch in history)


def test_pictures_that_are_all_alike_are_told_apart_by_chance(tmp_path, config):
    _draw(tmp_path / "photos", "one", 6, color=9)
    _draw(tmp_path / "photos", "other", 6, color=9)
    heard(job(tmp_path / "photos", tmp_path / "run", **config))
    (found,) = {epoch["val_accuracy"] for epoch in read_history(Run(tmp_path / "run"))}
    assert found <= 0.75


@pytest.mark.parametrize(
    ("counts", "words"),
    [({"only": 5}, "only one class"), ({"one": 1, "more": 5}, "'one' has 1 different")],
)
def test_too_few_for_any_head_is_a_sentence(tmp_path, config, counts, words):
    for name, count in counts.items():
        _draw(tmp_path / "photos", name, count)
    with pytest.raises(UserError, match=words):
        job(tmp_path / "photos", tmp_path / "run", **config)


@pytest.mark.parametrize(
    "option", [{"crop": True, "scale": 0}, {"color_shift": 0.1}, {"average": 2}, {"train": "all"}]
)
def test_what_a_linear_head_cannot_do_is_refused(faces, tmp_path, config, option):
    with pytest.raises(UserError, match="linear"):
        job(faces, tmp_path / "run", **config | {"head": "linear"} | option)
