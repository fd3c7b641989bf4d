"""Trainings of more than the head, from the first step to model.keras, stopped and gone on with."""

import logging
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf import load_model
from alexnet_tf.data.features import store as features
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation import diagnostics as doctor
from alexnet_tf.model import read_layers
from alexnet_tf.runs.checkpoints import load_checkpoint, save_checkpoint
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.disk import NoRoom
from alexnet_tf.training import loop
from alexnet_tf.weights.loading import read_weights
from tests.support.small import (
    STARTER,
    Listener,
    assert_same_state,
    convolutions,
    heard,
    job,
    stopped,
    train,
    trainer,
    weights_of,
)

# Everything that is drawn at random; the learning rate falls within an epoch.
WHOLE = STARTER | {
    "crop": True, "color_shift": 0.1, "rotate": 20, "zoom": 0.2, "brightness": 0.1,
    "contrast": 0.2, "weight_decay": 0.0005, "learning_rate": 0.01,
    "schedule": "exponential", "decay": 0.5, "decay_samples": 60,
    "keep": 3, "average": 2, "log_every": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory, faces):
    """Train a run of all layers to its end; return it and what was logged."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, heard(job(faces, run, **WHOLE))


def test_a_line_for_every_other_step(whole):
    run, lines = whole
    for number, epoch in enumerate(read_history(Run(run)), 1):
        words = [line.split() for line in lines if line.startswith(f"epoch {number}/3  step")]
        assert [line[:4] for line in words] == [
            ["epoch", f"{number}/3", "step", step] for step in ("2/4", "4/4")
        ]
        losses, accuracies = ([float(line[at]) for line in words] for at in (5, 7))
        assert np.mean(losses) == pytest.approx(epoch["loss"], abs=1e-4)
        assert np.mean(accuracies) == pytest.approx(epoch["accuracy"], abs=1e-4)


def test_the_rate_falls_as_the_schedule_says(whole):
    rates = [epoch["learning_rate"] for epoch in read_history(Run(whole[0]))]
    # The last steps of the epochs follow 39, 91 and 143 pictures.
    assert rates == pytest.approx([0.01, 0.005, 0.0025])


def test_the_model_is_the_mean_of_the_last_epochs(whole):
    run, lines = whole
    second, third = (load_checkpoint(run / f"checkpoints/epoch-000{n}.npz")[0] for n in (2, 3))
    for name, (kernel, bias) in read_weights(run / "model.keras").items():
        for part, array in (("kernel", kernel), ("bias", bias)):
            one, other = second[f"{name}/{part}"], third[f"{name}/{part}"]
            assert not np.array_equal(one, other)
            np.testing.assert_allclose(array, (one.astype("f8") + other) / 2, atol=1e-7)
    assert f"{run}/model.keras: mean of the last 2 epochs" in lines


def test_the_doctor_knows_a_run_from_scratch(whole):
    files = doctor.RunFiles(Run(whole[0]))
    assert doctor.pretrained(files) == "none, all layers began at random"


def test_stopped_within_an_epoch_it_ends_the_same_bit_for_bit(whole, faces):
    undisturbed = whole[0]
    run = undisturbed.with_name("stopped")
    stopped(job(faces, run, **WHOLE), "epoch 2/3  step 2/4")
    assert (run / "checkpoints/epoch-0001.unfinished.npz").is_file()
    lines = heard(job(faces, run, **WHOLE))
    assert "going on after step 2 in epoch 2 of 3" in lines
    for epoch in (2, 3):
        name = f"checkpoints/epoch-{epoch:04}.npz"
        assert_same_state(run / name, undisturbed / name)
    assert weights_of(run) == weights_of(undisturbed)


def test_the_mean_does_without_a_checkpoint_that_is_lost(whole, faces):
    undisturbed = whole[0]
    run = shutil.copytree(undisturbed, undisturbed.with_name("lost"))
    (run / "checkpoints/epoch-0002.npz").write_bytes(b"")
    (run / "model.keras").unlink()
    lines = heard(job(faces, run, **WHOLE))
    assert "epoch 2/3 again, for its checkpoint is lost" in lines
    assert weights_of(run) == weights_of(undisturbed)


def test_a_checkpoint_is_written_while_the_next_epoch_trains(faces, tmp_path, monkeypatch):
    begun = threading.Event()

    def info(line, *_):
        if line.startswith("epoch 2/2  step"):
            begun.set()

    def slow(*state, **config):
        assert begun.wait(60)
        return save_checkpoint(*state, **config)

    monkeypatch.setattr(loop, "save_checkpoint", slow)
    log = SimpleNamespace(info=info, warning=info)
    train(job(faces, tmp_path / "run", epochs=2, log_every=1, **STARTER), log)
    assert {path.name for path in (tmp_path / "run/checkpoints").iterdir()} == {
        "epoch-0001.npz", "epoch-0002.npz",
    }  # fmt: skip


def test_a_checkpoint_that_cannot_be_written_ends_the_training_at_once(whole, faces, monkeypatch):
    undisturbed = whole[0]
    run = shutil.copytree(undisturbed, undisturbed.with_name("full"))

    def full(directory, *_, **__):
        raise NoRoom(directory, 1)

    monkeypatch.setattr(loop, "save_checkpoint", full)
    log = logging.Logger("small")
    log.addHandler(listener := Listener())
    with pytest.raises(NoRoom, match="what was finished before is good"):
        train(job(faces, run, **WHOLE | {"epochs": 6, "log_every": 1}), log)
    assert listener.lines[-1].startswith("epoch 5/6  step")


def test_upper_layers_go_on_with_stored_features(faces, tmp_path, monkeypatch):
    weights = convolutions(tmp_path / "starter.npy", **STARTER)
    config = STARTER | {"weights": weights, "train": "from:conv4"}
    heard(job(faces, tmp_path / "undisturbed", epochs=2, **config))
    shutil.copytree(tmp_path / "undisturbed", tmp_path / "run")
    # As a kill between the first checkpoint and what follows it would have left the run.
    for name in ("checkpoints/epoch-0002.npz", "history.csv", "model.keras"):
        (tmp_path / "run" / name).unlink()
    monkeypatch.setattr(features, "load_batches", lambda *_, **__: pytest.fail("decodes again"))
    assert "going on after epoch 1 of 2" in heard(job(faces, tmp_path / "run", epochs=2, **config))
    name = "checkpoints/epoch-0002.npz"
    assert_same_state(tmp_path / "run" / name, tmp_path / "undisturbed" / name)
    before, after = read_weights(weights), read_weights(tmp_path / "run/model.keras")
    for name in before:
        frozen = np.array_equal(before[name][0], after[name][0])
        assert frozen == (name < "conv4"), name
    state, _ = load_checkpoint(tmp_path / "run/checkpoints/epoch-0002.npz")
    assert not [name for name in state if name.startswith(("conv1/", "conv3/"))]


def test_fine_tuning_begins_with_what_the_finished_run_computes(whole, faces, tmp_path):
    finished = whole[0]
    config = STARTER | {"weights": str(finished), "train": "from:conv5", "learning_rate": 0.001}
    asked = job(faces, tmp_path / "run", **config)
    ours = trainer(asked)
    model = load_model(finished / "model.keras")
    pictures = asked.dataset.validation
    images = np.stack([load_image(picture.path, asked.variant) for picture in pictures])
    inputs = preprocess_input(images, asked.variant)
    labels = [picture.label for picture in pictures]
    probabilities = model.predict_on_batch(inputs)
    loss, accuracy, *_ = ours.measure(ours.validation, "validation")
    assert accuracy == np.mean(probabilities.argmax(axis=1) == labels)
    # Stored features are in float16.
    right = probabilities[range(len(pictures)), labels]
    assert loss == pytest.approx(-np.log(right).mean(), abs=1e-3)
    np.testing.assert_allclose(ours.network().predict_on_batch(inputs), probabilities, atol=1e-5)

    before, epoch = read_layers(model), ours.run_epoch([])
    assert np.isfinite([epoch["loss"], epoch["val_loss"]]).all()
    after = read_layers(ours.network())
    assert [name for name in after if np.array_equal(after[name][0], before[name][0])] == [
        "conv1", "conv2", "conv3", "conv4",
    ]  # fmt: skip


def test_a_run_of_other_classes_is_no_start(whole, faces, tmp_path):
    for animal, label in (("cat", "horse"), ("dog", "mouse")):
        (tmp_path / f"animals/{label}").mkdir(parents=True)
        for path in faces.glob(f"{animal}.?.jpg"):
            shutil.copy(path, tmp_path / "animals" / label)
    config = STARTER | {"weights": str(whole[0])}
    with pytest.raises(UserError, match=r"was trained on cat, dog, not on horse, mouse; start fr"):
        job(tmp_path / "animals", tmp_path / "run", **config)


def test_a_run_of_another_network_is_no_start(whole, faces, tmp_path):
    config = STARTER | {"weights": str(whole[0]), "lrn": True, "width": 1.0}
    with pytest.raises(UserError, match=r"another network: lrn was None, now True; width was 0\.1"):
        job(faces, tmp_path / "run", **config)


def test_an_unfinished_run_is_no_start(whole, faces, tmp_path):
    unfinished = shutil.copytree(whole[0], tmp_path / "unfinished")
    (unfinished / "model.keras").unlink()
    with pytest.raises(UserError, match="holds no finished model"):
        job(faces, tmp_path / "run", **STARTER | {"weights": str(unfinished)})


def test_what_a_run_was_told_at_first_it_must_be_told_again(whole, faces):
    with pytest.raises(UserError, match=r"decay was 0\.5, now 0\.2; color_shift was 0\.1, now"):
        job(faces, whole[0], **WHOLE | {"color_shift": 0.0, "decay": 0.2, "average": 1})
