"""First steps in a fresh clone: no weights, a typo, a first run."""

import json
import sys

import pytest

from alexnet_tf.commands import cli, train
from alexnet_tf.errors import UserError
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import prepare


def prepared(folder, **config):
    """Prepare a training into folder/run as the command line does, with the options `told`."""
    return prepare(Settings(**RECIPES["head"] | config), folder / "run", {*config})


def test_without_weights_a_training_begins_with_the_starter_and_says_what_that_costs(
    faces, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    job = prepared(tmp_path, data=str(faces))
    assert (job.settings.weights, job.variant.name) == ("starter", "distilled")
    (warning,) = (each for each in job.warnings if each.startswith("warning: "))
    assert "there is no weights/bvlc_alexnet.npy, so this begins with the starter's" in warning
    assert "`alexnet-tf weights` fetches them, for another --run" in warning


def test_the_starter_brings_its_variant(faces, tmp_path):
    job = prepared(tmp_path, data=str(faces), weights="starter")
    assert job.variant.name == "distilled" and not any("warning" in each for each in job.warnings)


def test_weights_that_are_there_are_taken(faces, tmp_path, monkeypatch, random_weights):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/bvlc_alexnet.npy").symlink_to(random_weights)
    assert prepared(tmp_path, data=str(faces)).variant.name == "bvlc"


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    """Settings, weights, data and the list of what is left out, each of which was typed wrongly."""
    config = {"data": "fotos", "weights": "wieghts.npy", "leave_out": "supsects.csv", "fall": 3}
    with pytest.raises(UserError) as raised:
        prepared(tmp_path, **config, schedule="cosine", epochs=5)
    lines = str(raised.value).splitlines()
    starts = (
        "--epochs 5: after --fall 3 epochs", "wieghts.npy: there is no such file of weights",
        "fotos: there is no such file or folder", "supsects.csv: ",
    )  # fmt: skip
    assert [start for start in starts if not any(map(str.startswith, lines, [start] * 99))] == []


def typed(monkeypatch, *words):
    """The settings of `train` with these words, and the names that somebody has set."""
    monkeypatch.setattr(sys, "argv", ["alexnet-tf", *words])
    parser = cli.Parser()
    train.add_arguments(parser)
    options = cli.parse(parser, [*words])
    return vars(options), options.configured


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [("a.json", "utf-16"), ("a.toml", "utf-8-sig"), ("config.json", "utf-8-sig"),
     ("a.json", "utf-8"), ("a.toml", "utf-8"), ("a.yaml", "utf-8")],
)  # fmt: skip
def test_settings_in_a_file_are_as_typed_ones_and_those_typed_win(
    tmp_path, monkeypatch, kind, encoding
):
    config = {"epochs": 3, "learning-rate": 0.005, "recipe": "best", "mirror": False}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in config.items())
    if kind == "a.yaml":
        text = "# mine\nepochs: 3\nlearning-rate: 5e-3\nrecipe: best\nmirror: no\nhead: null\n"
    if kind.endswith(".json"):
        text = json.dumps(config if kind == "a.json" else {"settings": config | {"head": None}})
    (tmp_path / kind).write_text(text, encoding)
    found, names = typed(monkeypatch, "--config", str(tmp_path / kind), "--epochs", "4")
    assert (found["epochs"], found["learning_rate"], found["mirror"]) == (4, 0.005, False)
    assert found["schedule"] == "cosine" and {"epochs", "learning_rate", "mirror"} <= names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"epohcs": 3}', "there is no setting epohcs; did you mean epochs?"),
        ('{"epochs": "3"}', "epochs: should be of the type int, but is '3'"),
        ('{"recipe": "bets"}', "recipe: should be one of head, best"),
        ("[1]", "should be a table of settings"),
        ("epochs = 3", "cannot be read"),
    ],
)
def test_a_file_of_other_things_is_refused_in_a_sentence(tmp_path, monkeypatch, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=message):
        typed(monkeypatch, "--config", str(tmp_path / "a.json"))
    (tmp_path / "a.toml").write_text("epochs: 3")
    with pytest.raises(UserError, match=r"a\.toml: cannot be read"):
        typed(monkeypatch, "--config", str(tmp_path / "a.toml"))
    (tmp_path / "a.yml").write_text("epochs: [3")
    with pytest.raises(UserError, match=r"a\.yml: cannot be read \(while parsing"):
        typed(monkeypatch, "--config", str(tmp_path / "a.yml"))
