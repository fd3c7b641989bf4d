"""TensorBoard's view of a run; a kill neither loses nor doubles any of it."""

import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugin_util import markdown_to_safe_html
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from alexnet_tf.data.dataset import Picture
from alexnet_tf.drawing.confusion import confusion_matrix
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.model import AlexNet
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import prepare
from alexnet_tf.training.tensorboard import TensorBoardLog
from alexnet_tf.training.tensorboard.pages import described, drawn_names, mistakes_page
from alexnet_tf.training.tensorboard.summaries import short_names, text
from tests.support.places import ROOT
from tests.support.processes import running
from tests.support.small import LENET, epochs, job, stopped, train, weights_of

ALL = dict.fromkeys(("tensors", "images", "scalars", "histograms"), 0)
CURVES = {
    "accuracy/training", "accuracy/validation", "loss/training", "loss/validation",
    "balanced_accuracy/validation", "learning_rate", "seconds",
}  # fmt: skip
PICTURES = {"conv1", "confusion", "mistakes"}
OTHERS = {
    "fc8/kernel", "fc8/bias", "precision_recall/cat/pr_curves", "precision_recall/dog/pr_curves",
}  # fmt: skip


def read(run):
    """Read tag → [(step, value)] of the run, which TensorBoard lists as one, as it does."""
    assert {path.parent for path in run.rglob("*tfevents*")} <= {run / "tensorboard"}
    events = EventAccumulator(str(run / "tensorboard"), ALL)
    events.Reload()
    return {
        tag: [(event.step, event.tensor_proto) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def steps(run):
    """Read tag → steps."""
    return {tag: [step for step, _ in values] for tag, values in read(run).items()}


def curves(run):
    """Read the steps of all curves, which are the same."""
    found = steps(run)
    (same,) = {tuple(found[tag]) for tag in CURVES}
    return same


def number(tensor):
    return (
        tensor.float_val[0] if tensor.float_val else np.frombuffer(tensor.tensor_content, "<f4")[0]
    )


def picture(tensor):
    return Image.open(BytesIO(tensor.string_val[2]))


@pytest.fixture(scope="module")
def shown(tmp_path_factory, faces):
    """Train three epochs of a thin network from scratch, with all that is shown by default."""
    run = tmp_path_factory.mktemp("shown") / "run"
    train(job(faces, run, **LENET, tensorboard="light"))
    return run


def test_each_epoch_has_its_curves_weights_answers_and_pictures(shown):
    found = steps(shown)
    assert {tuple(found[tag]) for tag in CURVES | PICTURES | OTHERS} == {(1, 2, 3)}


def test_training_and_validation_share_a_diagram(shown):
    ((_, tensor),) = read(shown)["custom_scalars__config__"]
    (charts,) = Layout.FromString(tensor.string_val[0]).category
    for title, chart in zip(("accuracy", "loss"), charts.chart, strict=True):
        (pattern,) = chart.multiline.tag
        tags = {tag for tag in read(shown) if re.search(pattern, tag)}
        assert (chart.title, tags) == (title, {f"{title}/training", f"{title}/validation"})


def test_the_curves_say_what_the_history_says(shown):
    history = read_history(Run(shown))
    for part, prefix in (("training", ""), ("validation", "val_")):
        for name in ("accuracy", "loss"):
            values = [number(tensor) for _, tensor in read(shown)[f"{name}/{part}"]]
            assert values == pytest.approx([epoch[prefix + name] for epoch in history])


def test_precision_and_recall_are_those_of_the_answers(shown):
    """Six rows: true and false positives, true and false negatives, precision, recall; in columns
    the thresholds, of which 0 takes all for cats and 0.5 the answers."""
    curve, answered = read(shown), read_history(Run(shown))[-1]["val_accuracy"]
    (tensor,) = [value for step, value in curve["precision_recall/cat/pr_curves"] if step == 3]
    rows = np.frombuffer(tensor.tensor_content, "<f4").reshape(6, -1)
    assert rows[:4, 0].tolist() == [4, 4, 0, 0] and rows[4:, 0].tolist() == [0.5, 1]
    assert (rows[0, 50] + rows[2, 50]) / 8 == pytest.approx(answered)


def test_the_histograms_count_all_values_of_a_small_layer(shown):
    buckets = [tensor for _, tensor in read(shown)["fc8/kernel"]]
    for tensor in buckets:
        edges_and_counts = np.frombuffer(tensor.tensor_content, "<f8").reshape(-1, 3)
        assert edges_and_counts[:, 2].sum() == 84 * 2


def test_the_run_as_a_whole_says_what_it_was_told_and_came_to(shown):
    whole = read(shown)
    settings = whole["settings"][0][1].string_val[0].decode()
    assert "batch_size      16" in settings and "variant         lenet5" in settings
    command = whole["command"][0][1].string_val[0].decode()
    assert f"alexnet-tf train --run {shown}" in command and "--batch-size 16" in command
    history = read_history(Run(shown))
    best = max(history, key=lambda epoch: (epoch["val_accuracy"], -epoch["val_loss"]))
    ((step, accuracy),) = whole["accuracy"]
    assert (step, number(accuracy)) == (best["epoch"], pytest.approx(best["val_accuracy"]))
    assert {"_hparams_/session_start_info", "_hparams_/session_end_info"} <= set(whole)


def test_the_graph_has_every_layer_in_order(shown):
    events = EventAccumulator(str(shown / "tensorboard"), ALL)
    events.Reload()
    nodes = {node.name: list(node.input) for node in events.Graph().node}
    assert nodes["conv1"] == ["data"] and nodes["pool1"] == ["conv1"] and nodes["prob"] == ["fc8"]


def test_pictures_are_small_enough_to_be_read_as_they_are(shown):
    found = read(shown)
    for tag in ("confusion", "mistakes", "grad_cam"):
        assert picture(found[tag][-1][1]).width <= 350


def test_the_projector_has_fc7_of_each_validation_picture(shown):
    folder = shown / "tensorboard"
    lines = (folder / "fc7.tsv").read_text().splitlines()
    assert lines[0] == "class\tanswer\tright\tpath" and len(lines) == 1 + 8
    values = np.fromfile(folder / "fc7.bytes", "<f4").reshape(8, 84)
    assert (values >= 0).all() and values.any()
    assert "tensor_shape: 8\n  tensor_shape: 84" in (folder / "projector_config.pbtxt").read_text()
    assert Image.open(folder / "fc7.jpg").size == (3 * 48, 3 * 48)


def test_a_stopped_training_shows_each_epoch_once(faces, tmp_path):
    def asked(**more):
        return job(faces, tmp_path / "run", **LENET, tensorboard="light", **more)

    stopped(asked(), "epoch 2/3")
    assert steps(tmp_path / "run")["mistakes"] == [1, 2]
    train(asked())
    train(asked(epochs=2))
    assert curves(tmp_path / "run") == (1, 2)
    train(asked(epochs=4))
    assert curves(tmp_path / "run") == (1, 2, 3, 4)
    assert len(steps(tmp_path / "run")["accuracy"]) == 1  # of the finished network


def test_a_training_killed_while_it_writes_an_epoch_shows_each_once(faces, tmp_path):
    words = [
        sys.executable, str(ROOT / "train_alexnet.py"), "--data", str(faces), "--run", "run",
        "--variant", "lenet5", "--weights", "none", "--train", "all", "--epochs", "3",
        "--batch-size", "16",
    ]  # fmt: skip
    part = tmp_path / "run/tensorboard/epochs-0002.events"
    with running(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=None) as process:
        while process.poll() is None and not part.exists():
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    settings = Settings(**Run(tmp_path / "run").read_config()["settings"])
    train(prepare(replace(settings, features=str(tmp_path / "features")), tmp_path / "run"))
    assert curves(tmp_path / "run") == (1, 2, 3)


def test_a_file_that_a_kill_left_torn_is_mended(shown, faces, tmp_path):
    run = shutil.copytree(shown, tmp_path / "run")
    (events,) = (run / "tensorboard").glob("*tfevents.epochs*")
    whole = events.read_bytes()
    events.write_bytes(whole[: len(whole) - 1000])
    train(job(faces, run, **LENET, tensorboard="light"))
    assert events.read_bytes() == whole


def test_an_epoch_is_not_shown_while_its_checkpoint_is_lost(shown, faces, tmp_path):
    run = shutil.copytree(shown, tmp_path / "run")
    for path in (run / "checkpoints").glob("epoch-000[23].npz"):
        path.unlink()
    asked = job(faces, run, **LENET, tensorboard="light")
    stopped(asked, "epoch 2/3")
    assert curves(run) == (1, 2)
    train(asked)
    for tag in CURVES - {"seconds"} | PICTURES | OTHERS:
        assert read(run)[tag] == read(shown)[tag]


def test_what_was_trained_unseen_is_shown_by_its_scalars(faces, tmp_path):
    run = tmp_path / "run"
    train(job(faces, run, **LENET, tensorboard="off", epochs=2))
    assert not list(run.rglob("*tfevents*"))
    train(job(faces, run, **LENET, tensorboard="light"))
    assert curves(run) == (1, 2, 3) and steps(run)["mistakes"] == [3]


def test_the_weights_do_not_depend_on_what_is_shown(shown, faces, tmp_path):
    train(job(faces, tmp_path / "run", **LENET, tensorboard="full"))
    assert weights_of(tmp_path / "run") == weights_of(shown)


def test_fc7_of_frozen_layers_is_the_same_in_the_projector(shown, faces, tmp_path):
    config = {"weights": str(shown), "train": "from:fc8", "tensorboard": "light", "epochs": 1}
    train(job(faces, tmp_path / "run", **LENET | config))
    before, after = (
        np.fromfile(run / "tensorboard/fc7.bytes", "<f4") for run in (shown, tmp_path / "run")
    )
    np.testing.assert_allclose(after, before, atol=1e-3)
    assert {"fc8/kernel", "fc8/bias"} == {tag for tag in steps(tmp_path / "run") if "fc8" in tag}
    assert steps(tmp_path / "run")["conv1"] == [0]


def test_a_run_of_very_many_epochs_stays_small(shown, faces, tmp_path):
    """The pages of later epochs thin out; that of the last one is there."""
    asked = job(faces, tmp_path / "run", **LENET, tensorboard="light", epochs=66)
    log, predictions = (
        TensorBoardLog(asked, AlexNet("lenet5", 2), []),
        np.full((8, 2), 0.5, np.float32),
    )
    for epoch in epochs(66):
        log.write(epoch, {"fc8/kernel": np.ones((84, 2), np.float32)}, predictions)
    log.show(66)
    pages = steps(tmp_path / "run")["mistakes"]
    assert pages == [*range(1, 32), *range(32, 65, 4), 66]
    assert curves(tmp_path / "run") == (*range(1, 67),)


def test_what_strangers_call_things_stands_there_as_it_is(tmp_path):
    names = ["<script>alert(1)</script>", "\u202edog", "x" * 4000, f"{'x' * 4000}y", "a|b`c`"]
    short = short_names(names)
    assert short[0] == names[0] and short[1] == "\\u202edog" and short[4] == names[4]
    assert len(set(short)) == 5 and max(map(len, short)) < 50
    assert confusion_matrix(np.eye(5, dtype=int), short).width == 350
    (value,) = text("settings", [f"data  {name}" for name in names]).value
    shown = markdown_to_safe_html(value.tensor.string_val[0])
    assert shown.startswith("<pre><code>") and "<script" not in shown and "a|b`c`" in shown


def test_names_in_scripts_that_pictures_cannot_show_stand_beside_them():
    pytest.importorskip("matplotlib")
    names = ("Käfer", "Жук", "甲虫", "बीटल")
    assert drawn_names(names) == ["Käfer", "Жук", "class 2", "class 3"]
    predictions = LabelledPredictions(names, [Picture("", 0, "")] * 4, np.eye(4)[:, [1, 2, 0, 3]])
    assert described(predictions, [0, 1]) == "class 2 is 甲虫"
    assert described(predictions, [2]) == ""


def test_pictures_that_are_gone_are_left_out_of_a_page(faces, tmp_path):
    photos = sorted(map(str, faces.iterdir()))[:3]
    kept = [Picture(path, 0, "") for path in (photos[0], str(tmp_path / "gone.jpg"), photos[1])]
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], np.float32)
    predictions = LabelledPredictions(("a", "b"), kept, probabilities)
    assert predictions.mistakes().tolist() == [0, 1] and predictions.correct(5).tolist() == [2]
    assert predictions.evaluation.confusion().tolist() == [[1, 2], [0, 0]]
    one, two = mistakes_page(predictions, [0, 1]), mistakes_page(predictions, [0, 2])
    assert two.width - one.width == 114 and mistakes_page(predictions, [1]).size == (108, 108)
