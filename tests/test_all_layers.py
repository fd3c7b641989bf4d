"""Files that have fc6 and fc7: these frozen and their output kept, or trained on."""

import json

import numpy as np
import pytest

from alexnet_tf import load_model
from alexnet_tf.data.features.batches import BATCH
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.model import AlexNet, part, read_layers
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import write_config
from alexnet_tf.weights.loading import read_weights
from tests.support.caffe import random_weights
from tests.support.formats import write_npz
from tests.support.small import (
    CIFAR,
    LENET,
    assert_same_state,
    convolutions,
    heard,
    job,
    stopped,
    train,
    trainer,
    weights_of,
)

# A dropout after fc6 and fc7, before them, and none; slopes that no file has.
HEADS = {
    "after": CIFAR,
    "before": {"variant": "owt", "width": 0.03},
    "none": LENET,
    "slopes": CIFAR | {"activation": "prelu"},
}


def whole(path, classes=5, only=None, **settings):
    """Write a file of random weights of all layers, or of some; return its path."""
    variant = Settings(**settings).chosen_variant()
    weights = random_weights(variant, classes)
    write_npz(path, {name: weights[name] for name in only or weights})
    return str(path)


@pytest.fixture
def asked(faces, tmp_path):
    """Return what prepares a training that starts from a file of five classes."""

    def asked(name="run", kind="after", **settings):
        path, network = tmp_path / "five.npz", HEADS[kind]
        if not path.exists():
            whole(path, **network)
        start = {"weights": str(path), "train": "head"}
        return job(faces, tmp_path / name, **network | start | settings)

    return asked


@pytest.fixture(
    scope="module", params=[(head, layer) for head in HEADS for layer in ("fc7", "fc8")]
)
def frozen(request, faces, tmp_path_factory):
    """Return the kind of head, the lowest trained layer, and what trains from there on."""
    (head, layer), folder = request.param, tmp_path_factory.mktemp("frozen")
    weights = whole(folder / "five.npz", **HEADS[head])
    configured = HEADS[head] | {"weights": weights, "train": f"from:{layer}"}
    return head, layer, trainer(job(faces, folder / "run", **configured))


def test_what_is_kept_is_what_the_whole_network_computes_to_the_bit(frozen):
    _, layer, ours = frozen
    (variant, store), side = (ours.job.variant, ours.store), ours.job.variant.image_size
    pictures = (*ours.job.dataset.train, *ours.job.dataset.validation)
    assert store.shape == (variant.fc_kernels(2)[layer][0],) and len(pictures) < BATCH
    inputs, slots = np.zeros((BATCH, side, side, 3), np.float32), store.slots(pictures)
    for slot, picture in zip(slots, pictures):
        inputs[slot] = preprocess_input(load_image(picture.path, variant), variant)
    network = AlexNet(variant, 5, ours.job.settings.weights)
    for view, batch in enumerate((inputs, inputs[:, :, ::-1])):
        outputs = part(network, "conv1", layer)(batch, training=False).numpy()
        expected = outputs.astype(np.float16)[slots]
        assert np.array_equal(store.read(slots, view), expected) and expected.any()


def test_a_checkpoint_holds_what_is_above_the_frozen_layers(frozen):
    head, layer, ours = frozen
    state = ours.state()
    shapes = {name: array.shape for name, array in state.items() if not name.startswith("epoch/")}
    assert ours.job.expected().shapes == shapes
    kernels = {name[:3] for name in shapes if name.endswith("/kernel")}
    assert kernels == {name for name in ("fc7", "fc8") if name >= layer}
    # A dropout below a frozen layer is none any more.
    seeds = [name[:5] for name in shapes if "seed" in name]
    both, upper, none = ["drop6", "drop7"], ["drop7"], []
    above = {"after": (both, upper), "before": (upper, none), "none": (none, none)}
    assert seeds == above["after" if head == "slopes" else head][layer == "fc8"]


def test_stopped_within_an_epoch_it_ends_the_same_bit_for_bit(asked, tmp_path):
    configured = {"train": "from:fc7", "log_every": 2, "epochs": 2, "learning_rate": 0.05}
    train(asked("undisturbed", **configured))
    stopped(asked("stopped", **configured), "epoch 2/2  step 2/4")
    assert "going on after step 2 in epoch 2 of 2" in heard(asked("stopped", **configured))
    one, other = tmp_path / "undisturbed", tmp_path / "stopped"
    assert_same_state(*(run / "checkpoints/epoch-0002.npz" for run in (one, other)))
    assert weights_of(one) == weights_of(other)
    assert Run(one).read_config()["settings"]["head"] == "pretrained"

    given, trained = read_weights(tmp_path / "five.npz"), read_weights(one / "model.keras")
    same = [name for name in given if np.array_equal(given[name][0], trained[name][0])]
    assert same == [name for name in given if name < "fc7"]


def test_frozen_layers_of_the_head_are_as_frozen_where_pictures_are_cut(asked):
    """No dropout between them either; of 32 pixels there is only one way to cut 32."""
    configured = {"train": "from:fc8", "mirror": False}
    kept, cut = trainer(asked("kept", **configured)), trainer(asked("cut", crop=True, **configured))
    assert (kept.store.layer, cut.store.layer) == ("fc8", "conv1")
    one, other = kept.run_epoch([]), cut.run_epoch([])
    assert [one["loss"], one["val_loss"]] == pytest.approx(
        [other["loss"], other["val_loss"]], rel=0.01
    )
    assert kept.state().keys() == cut.state().keys()


@pytest.mark.parametrize(("kind", "layer"), [("after", "fc8"), ("before", "fc7")])
def test_the_model_answers_as_validation_said(asked, tmp_path, kind, layer):
    configured = asked(kind=kind, train=f"from:{layer}", epochs=1)
    train(configured)
    pictures = configured.dataset.validation
    images = np.stack([load_image(picture.path, configured.variant) for picture in pictures])
    inputs = preprocess_input(images, configured.variant)
    model = load_model(tmp_path / "run/model.keras")
    kept = part(model, "conv1", layer)(inputs).numpy().astype(np.float16).astype(np.float32)
    scores = np.exp(part(model, layer, "prob")(kept).numpy())
    predictions = scores / scores.sum(axis=1, keepdims=True)
    labels = [picture.label for picture in pictures]
    (epoch,) = read_history(Run(tmp_path / "run"))
    assert epoch["val_accuracy"] == np.mean(predictions.argmax(axis=1) == labels)
    right = predictions[range(len(labels)), labels]
    assert epoch["val_loss"] == pytest.approx(-np.log(right).mean(), abs=1e-4)
    np.testing.assert_allclose(model.predict_on_batch(inputs), predictions, atol=0.01)


def test_a_pretrained_head_begins_with_what_the_file_computes(asked):
    ours = trainer(asked())
    layers, given = read_layers(ours.network()), read_weights(ours.job.settings.weights)
    for name in ("fc6", "fc7"):
        for array, other in zip(layers[name], given[name]):
            np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)
    assert layers["fc8"][0].shape[1] == 2


def steps(asked, name, **configured):
    """Return what the first step of all pictures changes each layer by."""
    ours = trainer(asked(name, batch_size=64, dropout=0.0, mirror=False, **configured))
    before = read_layers(ours.learner.model)
    ours.run_epoch([])
    after = read_layers(ours.learner.model)
    return {name: after[name][0] - before[name][0] for name in before}


def test_given_layers_learn_at_a_tenth_of_the_rate_or_as_told(asked):
    configured = {"weight_decay": 0.1, "learning_rate": 0.1, "train": "from:conv5"}
    whole, tenth = (
        steps(asked, "whole", head_rate=1.0, **configured),
        steps(asked, "tenth", **configured),
    )
    for name in ("conv5", "fc6", "fc7"):
        largest = np.abs(whole[name]).max()
        assert largest > 0
        np.testing.assert_allclose(tenth[name], 0.1 * whole[name], atol=1e-4 * largest)
    assert np.array_equal(tenth["fc8"], whole["fc8"])


def test_which_rates_there_are(asked):
    def rates(**configured):
        return trainer(asked(**configured)).learner.rates

    assert rates() == [0.1] * 4 + [1.0] * 2
    assert rates(head_rate=2.0) == [2.0] * 4 + [1.0] * 2
    assert rates(train="from:fc8") == rates(train="from:fc8", head="random") == [1.0] * 2
    # The convolutions learn as fast as ever where all above them is new.
    assert rates(train="from:conv5", head="random") == [1.0] * 8


def test_a_random_head_is_what_a_file_of_convolutions_gives(asked, faces, tmp_path):
    given = read_weights(asked().settings.weights)
    write_npz(tmp_path / "conv.npz", {n: given[n] for n in given if n.startswith("conv")})
    alone = asked("alone", weights=str(tmp_path / "conv.npz"), epochs=1)
    (line,) = [warning for warning in alone.warnings if "random" in warning]
    assert line.startswith("fc6 and fc7 start at random, because ") and "conv.npz has none" in line
    assert alone.settings.head is None
    train(alone)
    train(asked("random", head="random", epochs=1))
    assert weights_of(tmp_path / "alone") == weights_of(tmp_path / "random")
    again = asked("random", epochs=1)
    assert again.settings.head == "random" and not [r for r in again.warnings if "random" in r]
    with pytest.raises(UserError, match="head was 'random', now 'pretrained'"):
        asked("random", head="pretrained")


def test_fc6_alone_is_kept_frozen_and_fc7_begins_at_random(asked, tmp_path):
    asked()
    given = read_weights(tmp_path / "five.npz")
    path = tmp_path / "six.npz"
    write_npz(path, {name: given[name] for name in given if name <= "fc6"})
    configured = asked("six", weights=str(path), train="from:fc7")
    assert [*configured.weights] == [name for name in given if name <= "fc6"]
    assert any(warning.startswith("fc7 starts at random") for warning in configured.warnings)
    with pytest.raises(UserError, match=r"fc7 would stay random.*or weights that have fc7"):
        asked("none", weights=str(path), train="from:fc8")


def test_layers_of_other_shapes_are_no_start_of_a_frozen_one(asked, faces, tmp_path):
    kernel = np.zeros((7, 7), np.float32)
    given = read_weights(asked().settings.weights)
    write_npz(tmp_path / "odd.npz", given | {"fc6": (kernel, kernel[0])})
    odd = {"weights": str(tmp_path / "odd.npz")}
    assert "fc6" not in asked("odd", **odd).weights
    with pytest.raises(BadFile, match=r"odd.npz: the kernel of fc6 should have the shape"):
        asked("frozen", train="from:fc7", **odd)


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        (
            {"train": "from:fc7"},
            "--train from:fc7: fc6 would stay random, because .*conv.npy gives",
        ),
        ({"head": "random", "head_rate": 0.5}, "--head-rate goes with --head pretrained"),
        ({"weights": "none", "train": "all", "head": "pretrained"}, "none has no layers for --he"),
        ({"weights": "none", "train": "all", "head_rate": 0.5}, "none has no layers for --head"),
    ],
)
def test_what_does_not_go_together_is_refused(faces, tmp_path, configured, message):
    weights = convolutions(tmp_path / "conv.npy", **CIFAR)
    with pytest.raises(UserError, match=message):
        job(faces, tmp_path / "run", **CIFAR | {"weights": weights, "train": "head"} | configured)


def test_a_finished_run_gives_all_layers_and_those_begun_before_keep_pool5(faces, tmp_path):
    first = tmp_path / "first"
    train(job(faces, first, **CIFAR | {"epochs": 1}))
    configured = CIFAR | {"weights": str(first), "train": "from:fc8", "epochs": 1}
    new = job(faces, tmp_path / "new", **configured)
    assert (new.settings.head, new.settings.first_computed()) == ("pretrained", "fc8")
    assert trainer(new).learner.rates == [1.0, 1.0]
    train(new)
    given, trained = (read_weights(run / "model.keras") for run in (first, tmp_path / "new"))
    same = [name for name in given if np.array_equal(given[name][0], trained[name][0])]
    assert same == [name for name in given if name < "fc8"]
    fresh = job(faces, tmp_path / "fresh", **configured | {"head": "random", "train": "head"})
    assert [*fresh.weights] == [name for name in given if name.startswith("conv")]

    old = job(faces, tmp_path / "old", **configured)
    old.run.directory.mkdir()
    write_config(old, {})
    config = json.loads(old.run.config_path.read_text())
    del config["settings"]["head"], config["settings"]["head_rate"]
    old.run.config_path.write_text(json.dumps(config))
    going_on = job(faces, tmp_path / "old", **configured)
    assert (going_on.settings.head, going_on.settings.first_computed()) == (None, "fc6")
    assert {"fc6/kernel", "drop6/seed_generator_state"} <= set(going_on.expected().shapes)
    assert going_on.weights.keys() == given.keys()
    assert trainer(going_on).store.layer == "fc6"
