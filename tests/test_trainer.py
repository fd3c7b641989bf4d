"""How a step and an epoch change the weights, and which pictures they see."""

import shutil

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.model import read_layers
from alexnet_tf.training.tensorboard.projector import write_projector
from alexnet_tf.variants import VARIANTS
from tests.support.formats import write_npz
from tests.support.reference import random_weights
from tests.support.small import CIFAR, STARTER, convolutions, job, trainer
from tests.support.steps import loss, steps
from tests.support.twins import Twin, both

# Name → settings, the rates of four steps (two an epoch of 42 pictures), arguments of `steps`.
SETTINGS = {
    "nothing else": ({}, [0.1] * 4, {}),
    "weight decay": ({"weight_decay": 0.1}, [0.1] * 4, {"weight_decay": 0.1}),
    "decoupled weight decay": (
        {"weight_decay": 0.1, "decoupled": True, "head_rate": 0.25},
        [0.1] * 4,
        {"weight_decay": 0.1, "decoupled": True, "multipliers": {"fc6": 0.25, "fc7": 0.25}},
    ),
    "balance": ({"balance": True}, [0.1] * 4, {"class_weights": [42 / 52, 42 / 32]}),
    "clip": ({"clip": 0.2}, [0.1] * 4, {"clip": 0.2}),
    "a head rate": (
        {"head_rate": 0.25},
        [0.1] * 4,
        {"multipliers": {"fc6": 0.25, "fc7": 0.25}},
    ),
    "a moving mean": ({"ema": 1.5}, [0.1] * 4, {"horizon": 3}),
    "warm-up and a cosine": (
        {"warm_up": 1.0, "schedule": "cosine", "fall": 2}, [0.05, 0.1, 0.1, 0.05], {},
    ),
    "all of them": (
        {
            "weight_decay": 0.1, "balance": True, "clip": 0.2, "head_rate": 0.25, "ema": 1.5,
            "warm_up": 1.0, "schedule": "cosine", "fall": 2,
        },
        [0.05, 0.1, 0.1, 0.05],
        {
            "weight_decay": 0.1, "class_weights": [42 / 52, 42 / 32], "clip": 0.2,
            "multipliers": {"fc6": 0.25, "fc7": 0.25}, "horizon": 3,
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def unequal(faces, tmp_path_factory):
    """26 cats and 16 dogs to train with, and more to validate with."""
    photos = shutil.copytree(faces, tmp_path_factory.mktemp("unequal") / "photos")
    for dog in (*photos.glob("dog.1?.jpg"), photos / "dog.2.jpg"):
        dog.unlink()
    return photos


@pytest.mark.parametrize("kind", SETTINGS)
def test_four_steps_are_those_by_hand(unequal, tmp_path, kind):
    config, rates, by_hand = SETTINGS[kind]
    given = random_weights(VARIANTS["lenet5"], 2)
    write_npz(tmp_path / "given.npz", given)
    settings = {"learning_rate": 0.1, "batch_size": 21, "mirror": False, "head_rate": 1.0} | config
    asked = job(
        unequal, tmp_path / "run", variant="lenet5", train="head", head="pretrained",
        weights=str(tmp_path / "given.npz"), epochs=2, **settings,
    )  # fmt: skip
    ours, batches, history = trainer(asked), [], []
    before = {name: read_layers(ours.learner.model)[name] for name in ("fc6", "fc7", "fc8")}
    step = ours.learner.step

    def listening(batch, *shared):
        values = ours.learner.standardization.apply(batch[0].numpy().astype("f8"))
        batches.append((values, batch[1].numpy()))
        return step(batch, *shared)

    ours.learner.step = listening
    for _ in range(2):
        history.append(ours.run_epoch(history))

    expected, means = steps(before, batches, rates, **by_hand)
    plainly, _ = steps(before, batches, [0.1] * 4)
    found, state = read_layers(ours.learner.model), ours.state()
    for name, pair in expected.items():
        for part, array, mean, plain in zip((0, 1), pair, means[name], plainly[name]):
            np.testing.assert_allclose(found[name][part], array, atol=2e-6, rtol=2e-5)
            if "horizon" in by_hand:
                averaged = state[f"ema/{name}/{('kernel', 'bias')[part]}"]
                np.testing.assert_allclose(averaged, mean, atol=2e-6, rtol=2e-5)
                assert np.abs(mean - array).max() > 1e-4
            if kind not in ("nothing else", "a moving mean"):
                assert np.abs(array - plain).max() > 1e-4
    kept = means if "horizon" in by_hand else expected
    values = ours.validation.store.read(ours.validation.slots).astype("f8")
    lost = loss(kept, ours.learner.standardization.apply(values), ours.validation.labels)
    assert history[-1]["val_loss"] == pytest.approx(lost, rel=1e-4)
    assert history[-1]["learning_rate"] == pytest.approx(rates[-1])


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
    """For bvlc the centre crop of 256 pixels begins between two of them; for odd sides, on one."""
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
    config = STARTER | {"train": "from:conv4", "crop": True, "color_shift": 0.1}
    weights = convolutions(tmp_path / "starter.npy", **STARTER)
    ours = trainer(job(faces, tmp_path / "run", weights=weights, **config))
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
    config = job(faces, tmp_path / "run", **STARTER, dropout=dropout)

    def trained(workers):
        ours = trainer(config, workers)
        return ours.run_epoch([])["loss"], read_layers(ours.learner.model)

    loss, layers = trained(None)
    for their_loss, theirs in both(trained):
        assert their_loss == pytest.approx(loss, abs=1e-6)
        for name, pair in layers.items():
            for array, other in zip(pair, theirs[name]):
                np.testing.assert_allclose(array, other, atol=1e-5)


def test_a_worker_without_any_validation_picture_ends_as_the_other(faces, tmp_path):
    given = convolutions(tmp_path / "thin.npy", **STARTER)
    config = STARTER | {"weights": given, "train": "from:conv5", "scale": 144, "resize": "caffe"}
    asked = job(faces, tmp_path / "run", **config)
    validation = {picture.digest for picture in asked.dataset.validation}

    class Lopsided(Twin):
        def owners(self, pictures):
            are_seconds = [picture.digest in validation for picture in pictures]
            return np.where(are_seconds, 1, super().owners(pictures))

    def finished(workers):
        ours = trainer(asked, workers)
        *errors, found = ours.calibrate()
        again = ours.measure(ours.validation, "validation")
        assert np.array_equal(found.probabilities, again.probabilities)
        predictions = found.probabilities.argmax(axis=1)
        if not workers or workers.is_chief:
            write_projector(tmp_path, ours, ours.network(), predictions)
        return *errors, ours.temperature, found.loss, *found.probabilities.ravel()

    alone = finished(None)
    for found in both(finished, Lopsided):
        np.testing.assert_allclose(found, alone, atol=1e-5)
