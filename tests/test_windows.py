"""Windows of a larger picture: what the network sees of it in training and in answers."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.features.bytefloat import decode, encode
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.calibration import calibration_error, fit_temperature, mean_probabilities
from alexnet_tf.model import AlexNet, load_model, part
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.rules import check_settings
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import prepare
from alexnet_tf.variants import VARIANTS, change
from tests.support.small import (
    STARTER,
    assert_same_state,
    convolutions,
    heard,
    job,
    stopped,
    trainer,
    weights_of,
)

# The starter's own size is 128 pixels; 144 have 4 × 4 windows.
SCALED = STARTER | {
    "train": "head", "scale": 144, "resize": "caffe", "ema": 1.0, "calibrate": True,
    "learning_rate": 0.02, "batch_size": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Draw 20 pictures to train with and 4 to validate with, each by 32 looks."""
    folder = tmp_path_factory.mktemp("few")
    draw_faces(folder, per_class=12)
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Random convolutions of the thin network."""
    return convolutions(tmp_path_factory.mktemp("weights") / "thin.npy", **STARTER)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, faces, given):
    """Train three epochs on windows; return the run and what was logged."""
    run = tmp_path_factory.mktemp("finished") / "run"
    return run, heard(job(faces, run, **SCALED, weights=given))


def test_of_a_picture_of_its_own_size_the_network_sees_what_it_always_did():
    variant = change(VARIANTS["caffenet"], width=0.1)
    whole = AlexNet(variant, 3, seed=1)
    windowed = AlexNet(replace(variant, scaled=227), 3, seed=1)
    pictures = np.random.default_rng(0).normal(0, 60, (2, 227, 227, 3)).astype("f4")
    expected = whole.predict_on_batch(pictures)
    np.testing.assert_allclose(windowed.predict_on_batch(pictures), expected, atol=1e-6)


@pytest.mark.parametrize(("size", "windows"), [(227, 1), (256, 4), (288, 16), (320, 36)])
def test_windows_at_every_scale(size, windows):
    variant = replace(VARIANTS["caffenet"], scaled=size, mirrored=True)
    assert (variant.windows, variant.views) == (windows, 2 * windows)
    assert variant.fc_kernels(2)["fc6"] == (9216, 4096)


def test_an_answer_is_the_mean_over_the_windows_of_the_picture_and_of_its_mirror_image():
    variant = replace(VARIANTS["starter"], fc_units=(8, 8), scaled=144, mirrored=True)
    model = AlexNet(variant, 3, seed=1)
    pictures = np.random.default_rng(0).normal(0, 2, (2, 144, 144, 3)).astype("f4")
    maxima = part(AlexNet(replace(variant, mirrored=False), 3, seed=1), "conv1", "windows")
    head = part(model, "fc6", "prob")
    predictions = []
    for view in (pictures, np.ascontiguousarray(pictures[:, :, ::-1])):
        seen = maxima.predict_on_batch(view)
        for number in range(16):
            rows, columns = variant.window(number)
            window = seen[:, rows, columns].reshape(2, -1)
            logits = head.predict_on_batch(window)
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            predictions.append(powers / powers.sum(axis=1, keepdims=True))
    found = model.predict_on_batch(pictures)
    np.testing.assert_allclose(found, np.mean(predictions, axis=0), atol=1e-6)
    assert np.ptp(predictions, axis=0).max() > 1e-3  # they do not all say the same


def test_a_picture_is_shown_whole(tmp_path):
    from PIL import Image

    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 150:] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    variant = replace(VARIANTS["caffenet"], scaled=288)
    for resize in ("caffe", "squash"):
        seen = load_image(tmp_path / "wide.png", variant, resize)
        assert seen.shape == (288, 288, 3)
        assert (seen[:, :142] == 0).all() and (seen[:, 146:] == 255).all()


def test_what_answers_is_what_was_measured(finished):
    run, lines = finished
    (said,) = (line for line in lines if "averaged over 32 test-time views of each" in line)
    evaluation = evaluate_runs([Run(run)], None)
    accuracy = evaluation.accuracy(evaluation.averaged)["accuracy"]
    assert said.startswith(f"accuracy {accuracy:.4f} on ")
    engine = Engine.of_run(Run(run))
    photo = (run / "val.txt").read_text().split("\t")[0].split(" ")[0]
    ours = next(Classifier([engine]).probabilities([photo]))[0]
    model = load_model(run / "model.keras")
    assert model.input_shape[1:3] == (144, 144)
    picture = preprocess_input(load_image(photo, engine.variant, "caffe"), engine.variant)
    np.testing.assert_allclose(model.predict_on_batch(picture[None])[0], ours, atol=1e-5)
    with pytest.raises(UserError, match="averages 32 views of a picture already"):
        Classifier([engine], crops=10)


def test_a_litert_file_answers_the_same(finished, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    engine = Engine.of_run(Run(run))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 144, 144, 3), np.uint8)
    expected = engine.predict(pictures, 3)[0]
    engine.write_litert()
    again = Engine.of_run(Run(run))
    assert not again.lacks_litert()
    np.testing.assert_allclose(again.predict(pictures, 3)[0], expected, atol=1e-5)
    assert not again._asked_keras


@pytest.mark.parametrize("trained", ["head", "from:conv5"])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(
    each_engine, faces, given, tmp_path, trained
):
    config = SCALED | {"train": trained, "weights": given, "log_every": 1, "precision": "auto"}
    heard(job(faces, tmp_path / "whole", **config))
    stopped(job(faces, tmp_path / "run", **config), "epoch 2/3  step 2/")
    heard(job(faces, tmp_path / "run", **config))
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    last = "checkpoints/epoch-0003.npz"
    assert_same_state(tmp_path / "run" / last, tmp_path / "whole" / last)


def test_the_head_learns_from_every_window(faces, given, tmp_path):
    """A layer that is trained or not, it sees the same windows: those of the same numbers."""
    config = SCALED | {"weights": given, "mirror": False}
    apart = trainer(job(faces, tmp_path / "run", **config))
    whole = trainer(job(faces, tmp_path / "other", **config | {"train": "from:conv5"}))
    count = len(apart.training)
    numbers = [np.arange(count) + count * (np.arange(count) % 16)]
    ((values, _),) = apart.plain_batches(apart.training, numbers)
    ((maps, _, windows),) = whole.plain_batches(whole.training, numbers)
    ours, theirs = apart.learner.entering_head(values), whole.learner.entering_head(maps, windows)
    assert np.ptp(windows) == 15
    np.testing.assert_allclose(ours, theirs, rtol=1 / 15, atol=0.02)  # ours: a byte each


def test_the_network_that_is_kept_has_the_mean_of_the_weights(finished):
    run, _ = finished
    weights = weights_of(run)
    with np.load(run / "checkpoints/epoch-0003.npz") as state:
        assert np.abs(state["ema/fc7/kernel"] - state["fc7/kernel"]).max() > 1e-4
    best = np.argmax([epoch["val_accuracy"] for epoch in read_history(Run(run))]) + 1
    with np.load(run / f"checkpoints/epoch-{best:04}.npz") as state:
        assert weights["fc7/kernel"] == state["ema/fc7/kernel"].tobytes()


def test_it_ends_early_and_goes_on_when_told(faces, given, tmp_path):
    config = SCALED | {"weights": given, "learning_rate": 1e-30}
    lines = heard(job(faces, tmp_path / "run", **config, epochs=9, stop_early=2))
    assert "that is enough: no lower val_loss for 2 epochs (--stop-early)" in lines
    done = len(read_history(Run(tmp_path / "run")))
    assert done < 9
    heard(job(faces, tmp_path / "run", **config, epochs=done + 1))
    assert len(read_history(Run(tmp_path / "run"))) == done + 1


def test_a_byte_holds_a_feature_to_a_sixteenth():
    values = np.concatenate([[0, 60_000], np.geomspace(1e-4, 6e4, 10_000)]).astype("f2")
    found = decode(encode(values)).astype("f8")
    assert np.abs(found / np.maximum(values, 1e-4) - 1)[2:].max() <= 1 / 16
    assert found[0] == 0 and np.isfinite(found).all()


def test_logits_that_are_too_sure_are_divided_by_how_much():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 3))
    powers = np.exp(logits)
    chances = powers / powers.sum(axis=1, keepdims=True)
    labels = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(3 * logits[None], labels) == pytest.approx(3, rel=0.03)
    assert calibration_error(mean_probabilities(3 * logits[None]), labels) > 0.1
    assert calibration_error(mean_probabilities(logits[None]), labels) < 0.01


def test_a_network_that_is_right_about_a_few_is_not_made_sure_of_all():
    logits = np.array([[[2.0, 0.0], [0.0, 2.0]] * 4])
    labels = np.array([0, 1] * 4)
    assert 0.6 < fit_temperature(logits, labels) < 0.8
    many = np.tile(logits, (1, 1000, 1)), np.tile(labels, 1000)
    assert fit_temperature(*many) < 0.25


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"variant": "bvlc", "scale": 200}, "input of bvlc is 227 pixels, and windows need more"),
        ({"variant": "cifar96", "scale": 64}, "the last pooling of cifar96 is padded"),
        ({"variant": "bvlc", "scale": 288, "crop": True}, "its windows are crops"),
    ],
)
def test_no_windows_where_there_can_be_none(config, words):
    with pytest.raises(UserError, match=words):
        check_settings(Settings(**config))


def test_what_is_not_typed_again_is_as_it_was_told_at_the_start(faces, given, tmp_path):
    config = SCALED | {"weights": given}
    heard(job(faces, tmp_path / "run", **config, epochs=1))
    again = prepare(Settings(epochs=2), tmp_path / "run", configured={"epochs"}).settings
    before = Run(tmp_path / "run").read_config()["settings"]
    assert (again.scale, again.ema, again.variant) == (144, 1.0, "starter")
    assert again == Settings(**before | {"epochs": 2})
    recipe = {"scale": 0, "units": 0, "precision": "auto"}  # typed, it stands for the start's
    again = prepare(Settings(**recipe), tmp_path / "run", configured=recipe).settings
    assert again == Settings(**before)
    with pytest.raises(UserError, match="scale was 144, now 160"):
        prepare(Settings(scale=160), tmp_path / "run", configured={"scale"})


@pytest.mark.parametrize(
    "config",
    [
        {"train": "all"},
        {"train": "from:conv1", "variant": "lenet5", "width": 1.0, "scale": 36, "mirror": False},
        {"train": "head", "color_shift": 0.1, "mirror": False},
        {"train": "all", "weights": "none"},
    ],
    ids=["all", "from conv1", "colour shift", "no weights"],
)
def test_a_training_on_the_pictures_themselves_learns_from_every_window(
    faces, given, tmp_path, config
):
    """Their mirror images are made as they are read; as answers, they are looks of their own."""
    config = SCALED | {"weights": given} | config
    if config["variant"] == "lenet5":
        config["weights"] = convolutions(tmp_path / "lenet5.npy", variant="lenet5")
    ours = trainer(job(faces, tmp_path / "run", **config))
    variant, drawn, step = ours.job.variant, [], ours.learner.step
    ours.learner.step = lambda batch: drawn.append(batch[2].numpy()) or step(batch)
    history = []
    for _ in range(6):
        history.append(ours.run_epoch(history))
    counts = np.bincount(np.concatenate(drawn), minlength=variant.windows)
    assert len(counts) == variant.windows and counts.min() > 0
    assert counts.max() < 3 * counts.mean()

    examples = ours.validation
    pictures = np.stack(
        [load_image(each.path, variant, "caffe") for each in ours.job.dataset.validation]
    )
    for look in range(variant.views):
        numbers = np.arange(len(examples)) + look * len(examples)
        ((values, _, windows),) = ours.plain_batches(examples, [numbers])
        seen = pictures[:, :, ::-1] if look >= variant.windows else pictures
        assert (windows.numpy() == look % variant.windows).all()
        assert np.array_equal(values.numpy(), preprocess_input(seen, variant)), look

    found = ours.measure(examples, "validation")
    predictions = ours.network().predict_on_batch(preprocess_input(pictures, variant))
    np.testing.assert_allclose(found.probabilities, predictions, atol=1e-5)
