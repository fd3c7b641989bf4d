"""A search for settings, as a user types it."""

import re
import signal

import pytest
import tensorflow as tf

from alexnet_tf.system import signals
from alexnet_tf.training import tuning
from tests.support.verbs import run_script


@pytest.fixture
def tune(faces, tmp_path, capsys):
    """Return a function that types a search; it returns the exit code and what was printed."""
    configured = "--data", faces, "--weights", "starter", "--precision", "float32", "--folds", 2

    def typed(words=""):
        code = run_script(tmp_path, "alexnet_tf", "tune", *configured, *words.split())
        return code, *capsys.readouterr()

    return typed


def test_each_trial_is_cross_validated_and_the_best_has_its_command(tune, tmp_path):
    tf.config.run_functions_eagerly(True)  # tracing takes longer than such trainings
    try:
        code, out, _ = tune("--units 16 --epochs 1 --batch-size 30 --trials 1")
    finally:
        tf.config.run_functions_eagerly(False)
    trials = re.findall(r"trial (\d)/2:  (.*?)  (0\.\d+|1\.0+)  ", out)
    assert code == 0 and [trial[0] for trial in trials] == ["1", "2"]
    assert trials[0][1] == "as `train` does" and "--units" not in trials[1][1]
    table = out[out.index("\nsettings") :].splitlines()[2:4]
    accuracies = [float(re.split("  +", row.strip())[1]) for row in table]
    assert accuracies == sorted((float(trial[2]) for trial in trials), reverse=True)
    command = out.split("with the best:\n")[1].replace("\\\n", "")
    for option in re.findall(r"--\S+ [\d.]+", table[0]):
        assert option in command or option.endswith(" 0.0") or option.endswith(" 0.01")
    assert "--run runs/tuned" in command and "--units 16" in command and "--trials" not in command
    assert [path.name for path in tmp_path.glob("*")] == ["data"]  # the features


def test_of_few_pictures_it_starts_with_the_linear_head_and_ctrl_c_leaves_the_table(
    tune, monkeypatch, faces
):
    fold = tuning._fold

    def stopped_at_fc6(job, *others):
        if job.settings.head != "linear":
            raise signals.Stopped(signal.SIGINT)
        return fold(job, *others)

    monkeypatch.setattr(tuning, "_fold", stopped_at_fc6)
    code, out, err = tune()
    assert code == 130 and "stopped by SIGINT" in err
    assert re.findall(r"trial (\d+)/13:  as `train` does \(--head linear\)", out) == ["1"]
    command = out.split("with the best:\n")[1].replace("\\\n", "")
    assert f"--data {faces}" in command and "--head" not in command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--rotate 10", "trains on features that are computed once"),
        ("--head linear", "each training cross-validates its only setting"),
        (
            "--units 8 --learning-rate 0.1 --dropout 0.1 --weight-decay 0.1",
            "every setting that tune changes is given",
        ),
    ],
)
def test_where_nothing_can_be_searched_it_is_said(tune, words, message):
    code, _, err = tune(words)
    assert code == 2 and message in err
