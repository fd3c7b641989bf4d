"""config.json, history.csv and lists of a run that comes from elsewhere."""

import json
import os
from dataclasses import asdict

import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.runs.history import best_epoch, read_history
from alexnet_tf.runs.pictures import listed_pictures
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings

CONFIG = {
    "settings": asdict(Settings()), "classes": ["cat", "dog"], "data": "0" * 64, "weights": "",
}  # fmt: skip
HEADINGS = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n"


def setting(**changed):
    return CONFIG | {"settings": CONFIG["settings"] | changed}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "it is a list"),
        (None, "it is a NoneType"),
        (CONFIG | {"classes": "cat"}, "its classes should be a list"),
        (CONFIG | {"classes": ["cat", 7]}, "two names or more"),
        (CONFIG | {"classes": ["cat", "cat"]}, "two names or more"),
        (CONFIG | {"classes": ["cat", "d\x1b[2J"]}, "two names or more"),
        (CONFIG | {"classes": []}, "two names or more"),
        (CONFIG | {"data": 5}, "its data should be a str"),
        (CONFIG | {"settings": []}, "its settings should be a dict"),
        (setting(variant="vgg16"), "--variant: should be one of bvlc"),
        (setting(variant=["bvlc"]), "--variant: should be of the type str"),
        (setting(width=1e300), "--width: '1e\\+300' should be a number above 0, at most 16"),
        (setting(dropout=1.0), "--dropout: '1.0' should be"),
        (setting(activation={}), "--activation: should be of the type str"),
        (setting(seed=-1), "--seed: '-1' should be"),
        (setting(seed=2**32), "--seed: '4294967296' should be"),
        (setting(epochs=True), "--epochs: should be of the type int"),
        (setting(crop=1), "--crop: should be of the type bool"),
        (setting(weights="a\0b"), "--weights: holds control characters"),
        (setting(threads=2**31), "--threads: '2147483648' should be"),
    ],
)
def test_a_config_that_says_something_impossible(tmp_path, content, reason):
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"config.json: is damaged, or not .*{reason}"):
        Run(tmp_path).read_config()


@pytest.mark.parametrize(
    "text",
    ['{"settings": NaN}', "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "\ufeff{}", ""],
    ids=["NaN", "deep list", "deep object", "long number", "mark", "empty"],
)
def test_a_config_that_is_no_json(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config.json: "):
        Run(tmp_path).read_config()


@pytest.mark.parametrize("name", ["config.json", "history.csv", "train.txt", "pictures.sha256"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    for other in ("classes.txt", "train.txt", "val.txt"):
        (tmp_path / other).write_text("")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    run = Run(tmp_path)
    if name in ("history.csv", "pictures.sha256"):
        assert not read_history(run) and not run.read_digests()
    else:
        with pytest.raises(UserError, match=rf"{name}: cannot be read"):
            (run.read_config if name == "config.json" else lambda: listed_pictures(run))()


@pytest.mark.parametrize(
    "lines",
    [
        "1,0.5,0.5,0.5,nan,0.1,3\n",
        "1,0.5,0.5,0.5,0.9,0.1\n",
        "1,0.5,0.5,0.5,0.9,0.1,3,4\n",
        "2,0.5,0.5,0.5,0.9,0.1,3\n",
        "1,0.5,x,0.5,0.9,0.1,3\n",
        "1,0.5,,0.5,0.9,0.1,3\n",
        f"1,{'9' * 200_000},0.5,0.5,0.9,0.1,3\n",
    ],
)
def test_a_history_that_is_none(tmp_path, lines):
    (tmp_path / "history.csv").write_text(HEADINGS + lines)
    with pytest.raises(UserError, match=r"history.csv: is damaged .*writes it anew"):
        read_history(Run(tmp_path))


def test_the_history_of_an_earlier_version(tmp_path):
    (tmp_path / "history.csv").write_text(
        HEADINGS + "1,0.5,0.5,0.5,0.8,0.1,3\n2,0.5,0.5,0.4,0.9,0.1,3\n"
    )
    history = read_history(Run(tmp_path))
    assert best_epoch(history) == 2
    with pytest.raises(UserError, match="--best balanced: epoch 1 was trained by an earlier vers"):
        best_epoch(history, "balanced")


def test_a_label_that_is_no_class(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "val.txt").write_text("")
    for label in ("7", "²", "-1", "9" * 5000):
        (tmp_path / "train.txt").write_text(f"a.jpg {label}\n")
        with pytest.raises(UserError, match=r"train.txt: a label in it is '"):
            listed_pictures(Run(tmp_path))
