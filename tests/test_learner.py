"""Layers that learn: their rates, what enters them, the network that they become."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from alexnet_tf.training.loop import mean_state
from tests.support import reference
from tests.support.formats import write_npy
from tests.support.small import (
    LENET,
    STARTER,
    convolutions,
    heard,
    job,
    stopped,
    trainer,
    weights_of,
)


def test_the_logits_of_the_finished_network_are_divided_by_the_temperature(faces, tmp_path):
    ours = trainer(job(faces, tmp_path / "run", **LENET))
    pictures = np.random.default_rng(0).random((3, 32, 32, 3), "f4")

    def logits(temperature):
        network = ours.learner.network(temperature)
        return keras.Model(network.input, network.get_layer("fc8").output)(pictures)

    np.testing.assert_allclose(logits(1.0), ours.learner.logits(pictures), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(2 * logits(2.0).numpy(), logits(1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "config", "rates"),
    [
        (("conv1", "conv2"), {"train": "head"}, [1] * 6),
        # Pretrained layers below a new fc8 learn at a tenth of the rate, in front of all else.
        (("conv1", "conv2", "fc6", "fc7"), {"train": "from:fc6"}, [0.1] * 4 + [1] * 2),
        (("conv1", "conv2", "fc6", "fc7"), {"train": "from:fc7"}, [0.1] * 2 + [1] * 2),
        (("conv1", "conv2", "fc6", "fc7"), {"train": "from:fc6", "head_rate": 0.3},
         [0.3] * 4 + [1] * 2),
        # A run's weights know these classes.
        (("conv1", "conv2", "fc6", "fc7", "fc8"), {"train": "from:fc6"}, [1] * 6),
    ],
)  # fmt: skip
def test_layers_that_the_weights_gave_learn_at_a_rate_of_their_own(
    faces, tmp_path, given, config, rates
):
    asked = job(faces, tmp_path / "run", **LENET)
    weights = reference.random_weights(asked.variant, classes=2)
    write_npy(tmp_path / "given.npy", weights)
    asked = job(
        faces, tmp_path / "run", **LENET | config | {"weights": str(tmp_path / "given.npy")}
    )
    asked = replace(asked, weights={name: weights[name] for name in given})
    assert trainer(asked).learner.rates == rates


def test_of_each_picture_of_a_batch_the_window_of_its_number_enters_the_head(faces, tmp_path):
    weights = convolutions(tmp_path / "thin.npy", **STARTER)
    config = STARTER | {"weights": weights, "train": "from:conv5", "scale": 144, "resize": "caffe"}
    learner = trainer(job(faces, tmp_path / "run", **config)).learner
    shape = learner.below.input.shape[1:]
    maps = np.random.default_rng(0).random((3, *shape), "f4")
    every = np.asarray(learner.entering_head(maps))
    assert every.shape[0] == 3 * 16
    found = np.asarray(learner.entering_head(maps, np.array([0, 5, 15])))
    np.testing.assert_array_equal(found, every[[0, 16 + 5, 32 + 15]])


def test_the_mean_of_states_is_that_of_floats_and_the_last_of_what_is_counted():
    states = [
        {"kernel": np.float32([value, 1]), "steps": np.array(step)}
        for step, value in enumerate((3, 6, 0), 1)
    ]
    found = mean_state(states)
    np.testing.assert_allclose(found["kernel"], [3, 1], rtol=1e-6)
    assert found["steps"] == 3


def test_the_last_epochs_are_averaged_and_none_before(faces, tmp_path):
    run = tmp_path / "run"
    heard(job(faces, run, average=2, keep=3, learning_rate=0.05, **LENET))
    kernels = []
    for epoch in (1, 2, 3):
        with np.load(run / f"checkpoints/epoch-{epoch:04}.npz") as state:
            kernels.append(state["fc7/kernel"])
    found = np.frombuffer(weights_of(run)["fc7/kernel"], "f4").reshape(kernels[0].shape)
    np.testing.assert_allclose(found, (kernels[1] + kernels[2]) / 2, atol=1e-6)
    assert np.abs(np.mean(kernels, axis=0) - found).max() > 1e-4


def test_where_a_training_was_stopped_is_said_by_step_and_epoch(faces, tmp_path):
    config = LENET | {"log_every": 1, "epochs": 2}
    stopped(job(faces, tmp_path / "run", **config), "epoch 2/2  step 1/")
    lines = heard(job(faces, tmp_path / "run", **config))
    assert "going on after step 1 in epoch 2 of 2" in lines
    lines = heard(job(faces, tmp_path / "run", **config | {"epochs": 3}))
    assert "going on after epoch 2 of 3" in lines
