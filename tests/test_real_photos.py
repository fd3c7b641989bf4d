"""The main job on real photos with real ImageNet convolutions."""

import json
import subprocess
import sys

import pytest

from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from tests.support.places import ROOT


@pytest.fixture
def train(material, tmp_path):
    def run(photos, *options):
        weights = material / "weights/alexnet_pool_norm_conv.npy"
        result = subprocess.run(
            [
                sys.executable, str(ROOT / "train_alexnet.py"), "--data", str(material / photos),
                "--weights", str(weights), "--variant", "caffenet", "--keep", "1", *options,
            ],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        history = read_history(Run(tmp_path / "train_alexnet"))
        return max(epoch["val_accuracy"] for epoch in history)

    return run


def test_cats_and_dogs(train, command, material):
    """One seed of three (0.939, 0.911, 0.950), six epochs of ten: the bound leaves them room."""
    accuracy = train("data/dogs-vs-cats", "--epochs", "6")
    assert accuracy >= 0.90
    answer = json.loads(command("alexnet_tf", "evaluate", "train_alexnet", "--json").stdout)
    assert answer["accuracy"] == pytest.approx(accuracy, abs=1.5 / 180)  # a picture may be a tie
    for label in ("cat", "dog"):
        pictures = sorted((material / "data/dogs-vs-cats").glob(f"{label}.1?.jpg"))
        lines = command("predict_alexnet.py", "2", *pictures).stdout.splitlines()
        assert [line.endswith(f"\t{label}") for line in lines].count(True) >= len(pictures) - 1


def test_five_kinds_of_flowers_need_no_change(train, command, material):
    """Chance is 0.2; 30 validation pictures, so a single one is worth 0.033."""
    assert train("data/flowers") >= 0.65
    pictures = sorted((material / "data/flowers/sunflowers").iterdir())
    lines = command("predict_alexnet.py", "2", *pictures).stdout.splitlines()
    assert [line.endswith("\tsunflowers") for line in lines].count(True) >= 0.8 * len(pictures)
