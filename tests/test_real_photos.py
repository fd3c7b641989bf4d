"""The main job on real photos with real ImageNet convolutions."""

import json

import pytest

from alexnet_tf.inference.classifier import UNLIKE
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from tests.support.small import unexported

# Options of both trainings.
TOLD = ("--variant", "caffenet", "--keep", "1")


@pytest.fixture
def config(material):
    """Return what makes the words of a command line from the name of a folder of photos."""
    weights = material / "weights/alexnet_pool_norm_conv.npy"
    return lambda photos: ("--data", material / "data" / photos, "--weights", weights, *TOLD)


def best_accuracy(folder):
    return max(epoch["val_accuracy"] for epoch in read_history(Run(folder / "train_alexnet")))


def flagged(ask, pictures):
    """Return the share of pictures that are called unlike anything that the run was taught."""
    lines = ask("predict_alexnet.py", "2", *pictures).stdout.splitlines()
    return [line.endswith(f"({UNLIKE})") for line in lines].count(True) / len(pictures)


def test_cats_and_dogs(config, command, typed, tmp_path, material):
    """One seed of three (0.939, 0.911, 0.950), six epochs of ten: the bound leaves them room."""
    command("train_alexnet.py", *config("dogs-vs-cats"), "--epochs", 6)
    accuracy = best_accuracy(tmp_path)
    assert accuracy >= 0.90
    answer = json.loads(typed("alexnet_tf", "evaluate", "train_alexnet", "--json").stdout)
    assert answer["accuracy"] == pytest.approx(accuracy, abs=1.5 / 180)  # a picture may be a tie
    for label in ("cat", "dog"):
        pictures = sorted((material / "data/dogs-vs-cats").glob(f"{label}.1?.jpg"))
        lines = command("predict_alexnet.py", "2", *pictures).stdout.splitlines()
        assert [line.endswith(f"\t{label}") for line in lines].count(True) >= len(pictures) - 1
    assert flagged(command, sorted((material / "data/flowers/tulips").iterdir())) >= 0.8


def test_five_kinds_of_flowers_need_no_change(config, typed, monkeypatch, tmp_path, material):
    """Chance is 0.2; 30 validation pictures, so a single one is worth 0.033. TensorFlow answers."""
    unexported(monkeypatch)
    typed("train_alexnet.py", *config("flowers"), "--no-report", "--tensorboard", "off")
    assert best_accuracy(tmp_path) >= 0.65
    pictures = sorted((material / "data/flowers/sunflowers").iterdir())
    lines = typed("predict_alexnet.py", "2", *pictures).stdout.splitlines()
    assert [line.endswith("\tsunflowers") for line in lines].count(True) >= 0.8 * len(pictures)
    assert flagged(typed, sorted((material / "data/dogs-vs-cats").glob("*.2?.jpg"))) >= 0.6
