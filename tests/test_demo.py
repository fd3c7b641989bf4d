"""`make demo`, as a newcomer runs it."""

import csv
import subprocess
import sys

from tests.support.places import ROOT


def test_the_demo_learns_and_answers(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "alexnet_tf", "demo", "--out", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    with (tmp_path / "demo/run/history.csv").open() as file:
        assert max(float(epoch["val_accuracy"]) for epoch in csv.DictReader(file)) >= 0.90
    shown, made = result.stdout.split("\nMade in ")
    assert "--run" in shown and "make tensorboard" in made
    answers = [line.split("\t") for line in shown.splitlines() if line.count("\t") == 2]
    assert len(answers) == 8
