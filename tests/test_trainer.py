"""What a step and an epoch do to the weights, and which pictures they see."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images import load_image, preprocess_input
from alexnet_tf.model import read_layers
from alexnet_tf.training.tensorboard.projector import write_projector
from alexnet_tf.variants import VARIANTS
from tests.support.caffe import random_weights
from tests.support.formats import write_npz
from tests.support.small import CIFAR, LENET, STARTER, convolutions, job, trainer
from tests.support.twins import Twin, both


def three_steps_by_hand(hidden, layer, labels, decoupled, weights):
    """Return what three steps make of fc8, (kernel, bias) in float64, at rate and decay of 0.1.

    Of each class the errors are multiplied by one of `weights`.

    Krizhevsky 2012, section 5: v ← 0.9 v − 0.0005 ε w − ε g, w ← w + v, for kernels.
    """
    (kernel, bias), right = layer, np.eye(2)[labels]
    kernel_v, bias_v = 0.0, 0.0
    for _ in range(3):
        scores = np.exp(hidden @ kernel + bias)
        error = (scores / scores.sum(axis=1, keepdims=True) - right) / len(right)
        error = error * np.take(weights, labels)[:, None]
        if decoupled:
            kernel = kernel - 0.1 * 0.1 * kernel
            kernel_v = 0.9 * kernel_v - 0.1 * hidden.T @ error
        else:
            kernel_v = 0.9 * kernel_v - 0.1 * 0.1 * kernel - 0.1 * hidden.T @ error
        bias_v = 0.9 * bias_v - 0.1 * error.sum(axis=0)
        kernel, bias = kernel + kernel_v, bias + bias_v
    return kernel, bias


@pytest.mark.parametrize(("decoupled", "balance"), [(False, False), (True, False), (False, True)])
def test_three_steps_are_those_by_hand(faces, tmp_path, decoupled, balance):
    photos = shutil.copytree(faces, tmp_path / "photos")
    for dog in photos.glob("dog.1?.jpg"):  # 20 remain
        dog.unlink()
    told = {
        "variant": "lenet5", "batch_size": 64, "mirror": False,
        "learning_rate": 0.1, "weight_decay": 0.1, "decoupled": decoupled, "balance": balance,
        "weights": convolutions(tmp_path / "lenet5.npy", variant="lenet5"),
    }  # fmt: skip
    # A head is asked for and less is trained, for otherwise fc6 and fc7 would have to be given.
    asked = job(photos, tmp_path / "run", **told | {"train": "head"})
    ours = trainer(replace(asked, settings=replace(asked.settings, train="from:fc8")))
    before = {
        name: [array.astype("f8") for array in pair]
        for name, pair in read_layers(ours.learner.model).items()
    }
    hidden = ours.learner.standardization.apply(ours.store.read(ours.training.slots).astype("f8"))
    for name in ("fc6", "fc7"):
        kernel, bias = before[name]
        hidden = np.maximum(hidden @ kernel + bias, 0)
    labels = ours.training.labels
    # Of scikit-learn's class_weight="balanced".
    weights = len(labels) / (2 * np.bincount(labels)) if balance else np.ones(2)
    fc8 = before["fc8"]
    expected = three_steps_by_hand(hidden, fc8, labels, decoupled, weights)
    other = three_steps_by_hand(hidden, fc8, labels, decoupled != (not balance), np.ones(2))

    history = []
    for _ in range(3):
        history.append(ours.run_epoch(history))

    trained = read_layers(ours.learner.model)
    for found, array in zip(trained["fc8"], expected):
        np.testing.assert_allclose(found, array, atol=1e-5)
    assert np.abs(trained["fc8"][0] - other[0]).max() > 1e-3
    assert np.array_equal(trained["fc7"][0], before["fc7"][0])


def seen_in_validation(ours):
    """Return the network's inputs from all validation pictures."""
    everything = [np.arange(len(ours.validation))]
    (values,) = (batch.numpy() for batch, _ in ours.plain_batches(ours.validation, everything))
    return values


def as_predicted(job):
    """Return what prediction makes of the files of the validation pictures."""
    images = [
        load_image(picture.path, job.variant, job.settings.resize)
        for picture in job.dataset.validation
    ]
    return preprocess_input(np.stack(images), job.variant)


def test_validation_sees_what_prediction_sees(faces, tmp_path):
    exact = job(faces, tmp_path / "run", color_shift=0.1, **STARTER)
    assert np.array_equal(seen_in_validation(trainer(exact)), as_predicted(exact))


@pytest.mark.parametrize("resize", ["short", "caffe"])
@pytest.mark.parametrize("variant", ["starter", "bvlc"])
def test_validation_sees_the_same_pixels_where_pictures_are_cut(
    tmp_path, rectangles, variant, resize
):
    """Of bvlc the centre of 256 pixels begins between two of them; of odd sides, of one."""
    width = {"variant": variant, "width": 0.1}
    cut = job(rectangles, tmp_path / "run", crop=True, resize=resize, **width)
    assert np.array_equal(seen_in_validation(trainer(cut)), as_predicted(cut))


@pytest.fixture(scope="module")
def rectangles(tmp_path_factory):
    """Draw pictures whose long sides, scaled, are 256 pixels and up to 40 more."""
    folder = tmp_path_factory.mktemp("rectangles")
    for number in range(40):
        noise = np.random.default_rng(number).integers(0, 256, (256, 256 + number, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{('cat', 'dog')[number % 2]}.{number}.png")
    return folder


def test_frozen_layers_stay_to_the_bit_though_pictures_are_cut(faces, tmp_path):
    told = STARTER | {"train": "from:conv4", "crop": True, "color_shift": 0.1}
    weights = convolutions(tmp_path / "starter.npy", **STARTER)
    ours = trainer(job(faces, tmp_path / "run", weights=weights, **told))
    assert ours.store.layer == "conv1" and ours.store.shape == (144, 144, 3)
    before = read_layers(ours.learner.model)
    epoch = ours.run_epoch([])
    assert np.isfinite([epoch["loss"], epoch["val_loss"]]).all()
    for name, pair in read_layers(ours.learner.model).items():
        same = [np.array_equal(*arrays) for arrays in zip(pair, before[name])]
        assert same == ([True, True] if name < "conv4" else [False, False]), name


def test_a_network_with_prelu_is_exported_with_its_slopes(faces, tmp_path):
    asked = job(faces, tmp_path / "run", activation="prelu", learning_rate=0.05, **CIFAR)
    ours = trainer(asked)
    ours.run_epoch([])
    network = ours.network()
    slopes = [layer.get_weights()[0] for layer in network.layers if "prelu" in layer.name]
    assert len(slopes) == 7 and all(np.abs(slope - 0.25).max() > 0 for slope in slopes)
    probabilities = network.predict_on_batch(as_predicted(asked))
    labels = ours.validation.labels
    loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert (loss, np.mean(probabilities.argmax(axis=1) == labels)) == pytest.approx(
        ours.measure(ours.validation, "validation")[:2], rel=1e-5
    )


def test_decoupled_the_pretrained_layers_decay_at_their_own_rate(faces, tmp_path):
    """The first step, before which there is no momentum, is the same through it and beside it."""
    weights = tmp_path / "lenet5.npz"
    write_npz(weights, random_weights(VARIANTS["lenet5"], classes=2))
    found = []
    for decoupled in (False, True):
        told = LENET | {"weights": str(weights), "train": "head", "weight_decay": 5.0}
        told |= {"learning_rate": 0.1, "batch_size": 64, "decoupled": decoupled}
        ours = trainer(job(faces, tmp_path / "run", **told))
        before = read_layers(ours.learner.model)
        ours.run_epoch([])
        found.append(read_layers(ours.learner.model))
    for name in ("fc6", "fc7", "fc8"):
        np.testing.assert_allclose(found[0][name][0], found[1][name][0], atol=1e-6)
        assert np.abs(found[0][name][0] - before[name][0]).max() > 1e-3


def test_no_two_things_are_decided_by_the_same_random_numbers(faces, tmp_path, monkeypatch):
    ours = trainer(job(faces, tmp_path / "run", **STARTER, crop=True))
    seeds, original = [], np.random.default_rng
    monkeypatch.setattr(
        np.random, "default_rng", lambda *seed: seeds.append(seed) or original(*seed)
    )
    for epoch in range(2):
        ours.run_epoch([{"val_accuracy": 0.5}] * epoch)
    states = {tuple(np.random.SeedSequence(*seed).generate_state(4)) for seed in seeds if seed}
    assert len(states) == len([seed for seed in seeds if seed]) == 2 * (1 + 4)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_two_workers_with_dropout_or_without_make_the_steps_of_one(faces, tmp_path, dropout):
    told = job(faces, tmp_path / "run", **STARTER, dropout=dropout)

    def trained(workers):
        ours = trainer(told, workers)
        return ours.run_epoch([])["loss"], read_layers(ours.learner.model)

    loss, layers = trained(None)
    for their_loss, theirs in both(trained):
        assert their_loss == pytest.approx(loss, abs=1e-6)
        for name, pair in layers.items():
            for array, other in zip(pair, theirs[name]):
                np.testing.assert_allclose(array, other, atol=1e-5)


def test_a_worker_without_any_validation_picture_ends_as_the_other(faces, tmp_path):
    given = convolutions(tmp_path / "thin.npy", **STARTER)
    told = STARTER | {"weights": given, "train": "from:conv5", "scale": 144, "resize": "caffe"}
    asked = job(faces, tmp_path / "run", **told)
    validation = {picture.digest for picture in asked.dataset.validation}

    class Lopsided(Twin):
        def owners(self, pictures):
            are_seconds = [picture.digest in validation for picture in pictures]
            return np.where(are_seconds, 1, super().owners(pictures))

    def finished(workers):
        ours = trainer(asked, workers)
        errors, found = ours.calibrate(), ours.measure(ours.validation, "validation")
        answers = found.probabilities.argmax(axis=1)
        if not workers or workers.is_chief:
            write_projector(tmp_path, ours, ours.network(), answers)
        return *errors, ours.temperature, found.loss, *found.probabilities.ravel()

    alone = finished(None)
    for found in both(finished, Lopsided):
        np.testing.assert_allclose(found, alone, atol=1e-5)
