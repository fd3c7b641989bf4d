"""Runs that came from elsewhere: their files belong together, or are refused in a sentence."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from alexnet_tf import load_model
from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.model import AlexNet
from alexnet_tf.runs.model_metadata import write_model_metadata
from alexnet_tf.runs.run import Run
from alexnet_tf.variants import VARIANTS, change
from tests.support.runs import THIN, without_signature, write_run

DRAWN = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def change_config(run, **changes):
    config = json.loads(run.config_path.read_text())
    for name, value in changes.items():
        (config if name in config else config["settings"])[name] = value
    run.config_path.write_text(json.dumps(config))


def rewrite(run, member, change):
    """Write the zip that model.keras is anew, with `change` of a member's content."""
    with zipfile.ZipFile(run.model_path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = change(contents[member])
    with zipfile.ZipFile(run.model_path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def ask(run):
    return Engine.of_run(run).predict(DRAWN, among=1)[0]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"classes": ["dog", "cat"]}, "classes"),
        ({"classes": ["cat", "dog", "fox", "owl"]}, "classes"),
        ({"resize": "squash"}, "settings"),
        ({"activation": "tanh"}, "settings"),
    ],
)
def test_a_config_of_another_network_is_refused(run, typed, faces, changes, what):
    """With classes that are swapped, every answer would be wrong."""
    change_config(run, **changes)
    result = typed("predict_alexnet.py", "2", faces / "cat.0.jpg", "--run", "run", code=2)
    assert f"run/model.keras: was written for other {what} than config.json" in result.stderr
    assert result.stdout == ""


def test_the_model_of_another_run_is_refused(run, tmp_path):
    other = write_run(tmp_path / "other", classes=("ape", "bee"))
    shutil.copy(other.model_path, run.model_path)
    with pytest.raises(UserError, match=r"model\.keras: was written for other classes"):
        ask(run)


def test_a_run_of_an_earlier_version_answers_as_before(run):
    expected = ask(run)
    without_signature(run)
    np.testing.assert_array_equal(ask(run), expected)


def test_in_a_run_of_an_earlier_version_classes_txt_tells_that_they_are_swapped(run):
    without_signature(run)
    change_config(run, classes=["dog", "cat"])
    with pytest.raises(UserError, match=r"config\.json: its classes are not those of classes\.txt"):
        ask(run)


def test_four_names_for_two_outputs_are_refused(run):
    """Where nothing else tells, the sizes do."""
    without_signature(run)
    change_config(run, classes=["a", "b", "c", "d"])
    (run.directory / "classes.txt").unlink()
    with pytest.raises(UserError, match=r"the kernel of fc8 should have the shape \(205, 4\)"):
        ask(run)


def test_a_config_of_huge_layers_is_refused_before_they_are_made(run):
    without_signature(run)
    change_config(run, width=16)
    with pytest.raises(UserError, match=r"the kernel of conv1 should have the shape \(11, 11, 3,"):
        ask(run)


def test_what_a_model_says_of_its_layers_is_not_believed(run, tmp_path):
    """Here two Dense of two thousand million units."""
    expected = ask(run)
    saved = AlexNet(THIN.chosen_variant(), 2)
    saved.save(tmp_path / "saved.keras")
    with zipfile.ZipFile(tmp_path / "saved.keras") as archive:
        layers = archive.read("config.json").replace(b'"units": 205', b'"units": 2000000000')
    rewrite(run, "config.json", lambda content: layers)
    np.testing.assert_array_equal(ask(run), expected)
    with pytest.raises(UserError, match=r"model\.keras: .*its layers need 4,\d+,\d+,\d+,\d+,\d+"):
        load_model(run.model_path)


def test_a_model_of_other_layers_is_not_opened(tmp_path):
    """Keras would let it read a file of words, wherever that is."""
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Rescaling(2)(inputs))
    model.save(tmp_path / "a.keras")
    with pytest.raises(UserError, match=r"a\.keras: .*no layer of the class Rescaling"):
        load_model(tmp_path / "a.keras")


def test_weights_of_another_network_are_refused_by_their_shapes(run):
    model = AlexNet(change(VARIANTS["cifar96"], width=0.1), 2)
    model.save(run.model_path)
    write_model_metadata(run.model_path, run.read_config())
    with pytest.raises(UserError, match=r"the shape \(11, 11, 3, 4\), but has \(11, 11, 3, 10\)"):
        ask(run)


def test_a_run_with_prelu_answers_as_its_model(tmp_path):
    """Its slopes are read too; without one of them it is refused."""
    run = write_run(tmp_path / "run")
    change_config(run, activation="prelu")
    model = AlexNet(change(THIN.chosen_variant(), activation="prelu"), 2, seed=0)
    for layer in model.layers:
        if "prelu" in layer.name:
            layer.alpha.assign(layer.alpha - 0.5)
    model.save(run.model_path)
    write_model_metadata(run.model_path, run.read_config())
    inputs = preprocess_input(DRAWN, run.read_config()["settings"]["variant"])
    np.testing.assert_allclose(ask(run), model.predict_on_batch(inputs), atol=1e-6)


def test_a_model_as_large_as_a_disk_is_not_read(run):
    """A file with a hole takes no room: a zip of it is small."""
    with open(run.model_path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match=r"model\.keras: is larger than weights of this network"):
        ask(run)


def test_a_run_is_found_again_by_what_its_model_says(run, tmp_path):
    """The folder was renamed, and config.json has another order of lines."""
    expected = ask(run)
    moved = Run(run.directory.rename(tmp_path / "moved"))
    config = json.loads(moved.config_path.read_text())
    moved.config_path.write_text(json.dumps(dict(reversed(config.items())), indent=1))
    np.testing.assert_array_equal(ask(moved), expected)
